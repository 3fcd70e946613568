// Which volume a claim can have: the smallest of those that are free and fit. Pure.
import { compareQuantities, parseQuantity, type Quantity, zeroQuantity } from '../k8s-quantity/index.ts';
import { labelSelectorOf, matchesLabels } from '../k8s-selectors/index.ts';
import type { PersistentVolume, PersistentVolumeClaim } from '../k8s-types/index.ts';

const classAnnotation = 'volume.beta.kubernetes.io/storage-class';
/** The storage class of a claim or a volume; '' where there is none. */
export const storageClassOf = ({ metadata, spec }: PersistentVolumeClaim | PersistentVolume): string =>
  metadata.annotations?.[classAnnotation] ?? spec?.storageClassName ?? '';

/** The volume names the claim; one that was made again under its name does not count. */
export function isVolumeFor({ spec }: PersistentVolume, { metadata }: PersistentVolumeClaim): boolean {
  const ref = spec?.claimRef;
  if (!ref || ref.namespace !== metadata.namespace || ref.name !== metadata.name) return false;
  return !ref.uid || ref.uid === metadata.uid;
}

const sizeOf = (text: string | undefined): Quantity => parseQuantity(text ?? '0') ?? zeroQuantity;
const capacityOf = ({ spec }: PersistentVolume): Quantity => sizeOf(spec?.capacity?.['storage']);

/** What the claim asks for, whoever has the volume now. */
function fits(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const { spec } = claim;
  const modes = volume.spec?.accessModes ?? [];
  return (
    volume.metadata.deletionTimestamp === undefined &&
    (volume.spec?.volumeMode ?? 'Filesystem') === (spec?.volumeMode ?? 'Filesystem') &&
    storageClassOf(volume) === storageClassOf(claim) &&
    (spec?.accessModes ?? []).every((mode) => modes.includes(mode)) &&
    (!spec?.selector || matchesLabels(labelSelectorOf(spec.selector), volume.metadata.labels)) &&
    compareQuantities(capacityOf(volume), sizeOf(spec?.resources?.requests?.['storage'])) >= 0
  );
}

/** A volume that was set aside for the claim wins; `suits` may ask for more, such as a node. */
export function findVolume(
  claim: PersistentVolumeClaim,
  volumes: Iterable<PersistentVolume>,
  suits: (volume: PersistentVolume) => boolean = () => true,
): PersistentVolume | undefined {
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    if (!suits(volume)) continue;
    if (isVolumeFor(volume, claim)) {
      if (volume.metadata.deletionTimestamp === undefined && storageClassOf(volume) === storageClassOf(claim))
        return volume;
      continue;
    }
    if (volume.spec?.claimRef || volume.status?.phase === 'Released' || !fits(volume, claim)) continue;
    if (!best || isSmaller(volume, best)) best = volume;
  }
  return best;
}

function isSmaller(a: PersistentVolume, b: PersistentVolume): boolean {
  const order = compareQuantities(capacityOf(a), capacityOf(b));
  return order < 0 || (order === 0 && (a.metadata.name ?? '') < (b.metadata.name ?? ''));
}
