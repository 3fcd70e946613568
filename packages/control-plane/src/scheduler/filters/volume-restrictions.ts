// A volume that only one pod may use is taken while another pod has it: disks on a node, claims anywhere.
import type { Volume } from '@kedge/model/k8s-types';
import type { PodFacts } from '../state/pod-facts.ts';
import { type ClusterFacts, type Filter, type NodeFilter, passes, refuse } from './filter.ts';

export const volumeRestrictions: Filter = {
  name: 'VolumeRestrictions',
  helpedBy: ['node', 'pod-gone', 'volume'],
  prepare(pod, cluster) {
    const checks = [freeDisks(pod), freeClaims(pod, cluster)].filter((check) => check !== undefined);
    if (checks.length === 0) return undefined;
    return (node) => checks.map((check) => check(node)).find(({ reasons }) => reasons.length > 0) ?? passes;
  },
};

/** Disks of the old kinds, which a node attaches once unless everybody only reads. */
function freeDisks({ pod }: PodFacts): NodeFilter | undefined {
  const wanted = (pod.spec?.volumes ?? []).filter(isDisk);
  if (wanted.length === 0) return undefined;
  return ({ pods }) => {
    const used = [...pods.values()].flatMap((other) => (other.pod.spec?.volumes ?? []).filter(isDisk));
    const collides = wanted.some((mine) => used.some((theirs) => isSameDisk(mine, theirs)));
    return collides ? refuse('node(s) had no available disk') : passes;
  };
}

const isDisk = ({ gcePersistentDisk, awsElasticBlockStore, iscsi, rbd }: Volume): boolean =>
  Boolean(gcePersistentDisk ?? awsElasticBlockStore ?? iscsi ?? rbd);

function isSameDisk(a: Volume, b: Volume): boolean {
  const bothRead = (x: { readOnly?: boolean }, y: { readOnly?: boolean }) => x.readOnly === true && y.readOnly === true;
  const [disk, otherDisk] = [a.gcePersistentDisk, b.gcePersistentDisk];
  if (disk && otherDisk) return disk.pdName === otherDisk.pdName && !bothRead(disk, otherDisk);
  if (a.awsElasticBlockStore && b.awsElasticBlockStore)
    return a.awsElasticBlockStore.volumeID === b.awsElasticBlockStore.volumeID;
  if (a.iscsi && b.iscsi) return a.iscsi.iqn === b.iscsi.iqn && !bothRead(a.iscsi, b.iscsi);
  const [image, otherImage] = [a.rbd, b.rbd];
  if (!image || !otherImage || bothRead(image, otherImage)) return false;
  return (
    image.monitors.some((monitor) => otherImage.monitors.includes(monitor)) &&
    (image.pool ?? 'rbd') === (otherImage.pool ?? 'rbd') &&
    image.image === otherImage.image
  );
}

/** ReadWriteOncePod means one pod of the whole cluster. */
function freeClaims(pod: PodFacts, { nodes, storage }: ClusterFacts): NodeFilter | undefined {
  const single = pod.claims.filter((name) =>
    storage.claim(pod.namespace, name)?.spec?.accessModes?.includes('ReadWriteOncePod'),
  );
  const has = (other: PodFacts): boolean =>
    other.namespace === pod.namespace && single.some((name) => other.claims.includes(name));
  if (single.length === 0 || !nodes.some(({ pods }) => [...pods.values()].some(has))) return undefined;
  return () => refuse('node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode');
}
