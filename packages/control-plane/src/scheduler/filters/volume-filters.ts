// Filters about the volumes behind a pod's claims: where they can be reached, and whether they are there at all.
import { storageClassOf } from '@kedge/model/k8s-scheduling';
import type { PersistentVolume, PersistentVolumeClaim } from '@kedge/model/k8s-types';
import { type ClusterFacts, type Filter, type Hopeless, type NodeFilter, passes, refuseForGood } from './filter.ts';
import type { NodeFacts } from '../state/node-facts.ts';
import type { PodFacts } from '../state/pod-facts.ts';
import { planVolumes, type VolumePlan } from '../plan-volumes.ts';

export const volumeBinding: Filter = {
  name: 'VolumeBinding',
  helpedBy: ['node', 'volume'],
  prepare(pod, cluster): NodeFilter | Hopeless | undefined {
    if (pod.claims.length === 0) return undefined;
    const claims = claimsOf(pod, cluster);
    if (!claims.ok) return { message: claims.message };
    return (node) => verdictOn(planVolumes(claims.all, node.node, cluster.storage));
  },
};

const verdictOn = (plan: VolumePlan) => (plan.ok ? passes : refuseForGood(...plan.reasons));

type Claims =
  | { readonly ok: true; readonly all: readonly PersistentVolumeClaim[] }
  | { readonly ok: false; readonly message: string };

/** All claims of the pod as far as they can be placed; those that bind at once have to be bound first. */
export function claimsOf({ pod, namespace, claims }: PodFacts, { storage }: ClusterFacts): Claims {
  const all: PersistentVolumeClaim[] = [];
  for (const name of claims) {
    const claim = storage.claim(namespace, name);
    if (!claim) return { ok: false, message: absent(pod.spec?.volumes, name) };
    if (claim.metadata.deletionTimestamp !== undefined)
      return { ok: false, message: `persistentvolumeclaim "${name}" is being deleted` };
    if (claim.status?.phase === 'Lost')
      return {
        ok: false,
        message: `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec?.volumeName ?? ''}"`,
      };
    all.push(claim);
  }
  const waits = (claim: PersistentVolumeClaim): boolean =>
    storage.storageClass(storageClassOf(claim))?.volumeBindingMode === 'WaitForFirstConsumer';
  if (all.some((claim) => !isBound(claim) && !waits(claim)))
    return { ok: false, message: 'pod has unbound immediate PersistentVolumeClaims' };
  return { ok: true, all };
}

export const isBound = ({ metadata, spec }: PersistentVolumeClaim): boolean =>
  Boolean(spec?.volumeName) && metadata.annotations?.['pv.kubernetes.io/bind-completed'] !== undefined;

function absent(
  volumes: { readonly persistentVolumeClaim?: { readonly claimName: string } }[] | undefined,
  name: string,
) {
  const isNamed = volumes?.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === name);
  return isNamed
    ? `persistentvolumeclaim "${name}" not found`
    : `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`;
}

const zoneLabels = [
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
];

/** Older volumes say by labels where they are; several zones are joined by `__`. */
export const volumeZone: Filter = {
  name: 'VolumeZone',
  helpedBy: ['node', 'volume'],
  prepare(pod, { storage }) {
    const volumes = pod.claims.flatMap((name): PersistentVolume[] => {
      const bound = storage.claim(pod.namespace, name)?.spec?.volumeName;
      const volume = storage.volume(bound ?? '');
      return volume ? [volume] : [];
    });
    const wanted = volumes.flatMap(({ metadata }) =>
      zoneLabels.flatMap((label) => {
        const zones = metadata.labels?.[label];
        return zones === undefined ? [] : [{ label, zones: zones.split('__') }];
      }),
    );
    if (wanted.length === 0) return undefined;
    return ({ labels }: NodeFacts) =>
      wanted.every(({ label, zones }) => zones.includes(labels[label] ?? ''))
        ? passes
        : refuseForGood('node(s) had no available volume zone');
  },
};
