// Which volumes a pod's claims would have on a node. Pure. A claim that waits for its first pod gets a volume that is
// there and reachable, or one that a provisioner makes for the node.
import { compareQuantities, parseQuantity, zeroQuantity } from '@kedge/model/k8s-quantity';
import { findVolume, matchesNodeSelector, storageClassOf } from '@kedge/model/k8s-scheduling';
import { labelSelectorOf, matchesLabels } from '@kedge/model/k8s-selectors';
import type {
  CSIStorageCapacity,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from '@kedge/model/k8s-types';
import type { VolumeFacts } from './filters/filter.ts';

export interface VolumeDecision {
  readonly claim: PersistentVolumeClaim;
  /** Undefined: a provisioner is to make one. */
  readonly volume: PersistentVolume | undefined;
}

export type VolumePlan =
  | { readonly ok: true; readonly decisions: readonly VolumeDecision[] }
  | { readonly ok: false; readonly reasons: readonly string[] };

const noProvisioner = 'kubernetes.io/no-provisioner';

export function planVolumes(claims: readonly PersistentVolumeClaim[], node: Node, storage: VolumeFacts): VolumePlan {
  const { volume, volumes, storageClass } = storage;
  const decisions: VolumeDecision[] = [];
  const reasons = new Set<string>();
  const taken = new Set<string>();
  for (const claim of claims) {
    if (claim.spec?.volumeName) {
      const bound = volume(claim.spec.volumeName);
      if (!bound) reasons.add('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)');
      else if (!reaches(bound, node)) reasons.add('node(s) had volume node affinity conflict');
      continue;
    }
    const found = findVolume(claim, volumes(), (one) => reaches(one, node) && !taken.has(one.metadata.name ?? ''));
    if (found) {
      taken.add(found.metadata.name ?? '');
      decisions.push({ claim, volume: found });
      continue;
    }
    const madeBy = storageClass(storageClassOf(claim));
    if (!madeBy || madeBy.provisioner === noProvisioner || !isAllowedOn(madeBy, node))
      reasons.add("node(s) didn't find available persistent volumes to bind");
    else if (!hasRoom(claim, madeBy, node, storage)) reasons.add('node(s) did not have enough free storage');
    else decisions.push({ claim, volume: undefined });
  }
  return reasons.size > 0 ? { ok: false, reasons: [...reasons] } : { ok: true, decisions };
}

const reaches = ({ spec }: PersistentVolume, node: Node): boolean => {
  const required = spec?.nodeAffinity?.required;
  return required === undefined || matchesNodeSelector(required, node);
};

/** Whether volumes of the class can be reached from the node; no topologies are all of them. */
function isAllowedOn({ allowedTopologies = [] }: StorageClass, { metadata }: Node): boolean {
  if (allowedTopologies.length === 0) return true;
  return allowedTopologies.some(({ matchLabelExpressions = [] }) =>
    matchLabelExpressions.every(({ key, values }) => values.includes(metadata.labels?.[key] ?? '')),
  );
}

/** Only drivers that say how much they have are asked. */
function hasRoom(
  { spec }: PersistentVolumeClaim,
  { metadata, provisioner }: StorageClass,
  node: Node,
  { csiDriver, capacities }: VolumeFacts,
): boolean {
  const size = parseQuantity(spec?.resources?.requests?.['storage'] ?? '');
  if (!size || csiDriver(provisioner)?.spec.storageCapacity !== true) return true;
  const isEnough = ({ capacity, maximumVolumeSize }: CSIStorageCapacity): boolean =>
    compareQuantities(parseQuantity(maximumVolumeSize ?? capacity ?? '0') ?? zeroQuantity, size) >= 0;
  for (const one of capacities()) {
    if (one.storageClassName !== metadata.name || !isEnough(one)) continue;
    if (one.nodeTopology && matchesLabels(labelSelectorOf(one.nodeTopology), node.metadata.labels)) return true;
  }
  return false;
}
