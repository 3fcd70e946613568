// Which volumes a pod's claims would have on a node. Pure. A claim that waits for its first pod gets a volume that is
// there and reachable, or one that a provisioner makes for the node.
import { findVolume, matchesNodeSelector, storageClassOf } from '@kedge/model/k8s-scheduling';
import type { Node, PersistentVolume, PersistentVolumeClaim } from '@kedge/model/k8s-types';
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

export function planVolumes(
  claims: readonly PersistentVolumeClaim[],
  node: Node,
  { volume, volumes, storageClass }: VolumeFacts,
): VolumePlan {
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
    const maker = storageClass(storageClassOf(claim))?.provisioner ?? noProvisioner;
    if (maker === noProvisioner) reasons.add("node(s) didn't find available persistent volumes to bind");
    else decisions.push({ claim, volume: undefined });
  }
  return reasons.size > 0 ? { ok: false, reasons: [...reasons] } : { ok: true, decisions };
}

const reaches = ({ spec }: PersistentVolume, node: Node): boolean => {
  const required = spec?.nodeAffinity?.required;
  return required === undefined || matchesNodeSelector(required, node);
};
