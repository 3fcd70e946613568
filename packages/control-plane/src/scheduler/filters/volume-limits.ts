// How many volumes of a storage driver a node can have at once, as its CSINode says.
import { storageClassOf } from '@kedge/model/k8s-scheduling';
import type { PodFacts } from '../state/pod-facts.ts';
import { type Filter, passes, refuse, type VolumeFacts } from './filter.ts';

export const nodeVolumeLimits: Filter = {
  name: 'NodeVolumeLimits',
  helpedBy: ['node', 'pod-gone', 'volume'],
  prepare(pod, { storage }) {
    const wanted = driverVolumes(pod, storage);
    if (wanted.size === 0) return undefined;
    return ({ name, pods }) => {
      const limits = limitsOf(name, storage);
      if (limits.size === 0) return passes;
      // A volume that several pods share is attached once.
      const attached = new Map<string, string>();
      for (const other of pods.values()) for (const one of driverVolumes(other, storage)) attached.set(...one);
      const added = [...wanted].filter(([volume]) => !attached.has(volume));
      const countOf = (volumes: Iterable<readonly [string, string]>, driver: string): number =>
        [...volumes].filter(([, of]) => of === driver).length;
      const isOver = [...limits].some(([driver, limit]) => {
        const more = countOf(added, driver);
        return more > 0 && countOf(attached, driver) + more > limit;
      });
      return isOver ? refuse('node(s) exceed max volume count') : passes;
    };
  },
};

function limitsOf(node: string, { csiNode }: VolumeFacts): ReadonlyMap<string, number> {
  const limits = new Map<string, number>();
  for (const { name, allocatable } of csiNode(node)?.spec.drivers ?? [])
    if (allocatable?.count !== undefined) limits.set(name, allocatable.count);
  return limits;
}

/** The driver of each of the pod's volumes that has one; a claim without a volume yet stands for the one it will get. */
function driverVolumes({ namespace, claims }: PodFacts, storage: VolumeFacts): Map<string, string> {
  const volumes = new Map<string, string>();
  for (const name of claims) {
    const claim = storage.claim(namespace, name);
    if (!claim) continue;
    const csi = storage.volume(claim.spec?.volumeName ?? '')?.spec?.csi;
    const maker = storage.storageClass(storageClassOf(claim))?.provisioner;
    if (csi) volumes.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver);
    else if (!claim.spec?.volumeName && maker) volumes.set(`${maker}/claim ${namespace}/${name}`, maker);
  }
  return volumes;
}
