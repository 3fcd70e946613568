// The pods of a StatefulSet and the volume claims that stay with them: both are named after the set and an ordinal. Pure.
import { collections } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import type {
  ControllerRevision,
  PersistentVolumeClaim,
  Pod,
  PodTemplateSpec,
  StatefulSet,
  Volume,
} from '@kedge/model/k8s-types';
import { controllerRef } from '../ownership/controller-ref.ts';
import { podFromTemplate } from '../pods/pod-from-template.ts';

/** Holds the name of the revision, not just its hash as with DaemonSets. */
const revisionLabel = 'controller-revision-hash';

export const podName = ({ metadata }: StatefulSet, ordinal: number): string => `${metadata.name}-${ordinal}`;

/** The ordinal in a pod's name; undefined when the name is not one of the set's. */
export function ordinalOf({ metadata }: StatefulSet, pod: Pod): number | undefined {
  const [, parent, ordinal] = /^(.*)-(0|[1-9]\d{0,8})$/.exec(pod.metadata.name ?? '') ?? [];
  return parent === metadata.name && ordinal !== undefined ? Number(ordinal) : undefined;
}

export const revisionOf = ({ metadata }: Pod): string | undefined => metadata.labels?.[revisionLabel];

/** The template a revision was made of. */
export function templateOf({ data }: ControllerRevision): PodTemplateSpec | undefined {
  const { template } = ((data as { spec?: unknown } | undefined)?.spec ?? {}) as { template?: Record<string, unknown> };
  if (!template) return undefined;
  const { $patch: _, ...rest } = template;
  return rest as unknown as PodTemplateSpec;
}

const claimName = ({ metadata }: StatefulSet, claim: PersistentVolumeClaim, ordinal: number): string =>
  `${claim.metadata.name}-${metadata.name}-${ordinal}`;

/** The labels by which a pod is known to be the one with its ordinal. */
export const identityLabels = (set: StatefulSet, ordinal: number): Record<string, string> => ({
  'statefulset.kubernetes.io/pod-name': podName(set, ordinal),
  'apps.kubernetes.io/pod-index': String(ordinal),
});

export function statefulPod(
  set: StatefulSet,
  ordinal: number,
  revision: { readonly name: string; readonly template: PodTemplateSpec | undefined },
): Pod {
  const name = podName(set, ordinal);
  const pod = podFromTemplate(revision.template, { name }, controllerRef(collections.statefulSets, set));
  const claims = set.spec?.volumeClaimTemplates ?? [];
  const volumes: Volume[] = claims.map((claim) => ({
    name: claim.metadata.name ?? '',
    persistentVolumeClaim: { claimName: claimName(set, claim, ordinal) },
  }));
  const claimed = new Set(volumes.map((volume) => volume.name));
  const others = (pod.spec?.volumes ?? []).filter((volume) => !claimed.has(volume.name));
  const allVolumes = [...volumes, ...others];
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: { ...pod.metadata.labels, ...identityLabels(set, ordinal), [revisionLabel]: revision.name },
    },
    spec: {
      ...pod.spec,
      containers: pod.spec?.containers ?? [],
      hostname: name,
      ...(set.spec?.serviceName ? { subdomain: set.spec.serviceName } : {}),
      ...(allVolumes.length > 0 ? { volumes: allVolumes } : {}),
    },
  };
}

/** The claims that a pod needs; they outlive it, and usually the set. */
export function claimsOf(set: StatefulSet, ordinal: number): (PersistentVolumeClaim & KubeObject)[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      ...(template.metadata.annotations ? { annotations: template.metadata.annotations } : {}),
      name: claimName(set, template, ordinal),
      ...(set.metadata.namespace === undefined ? {} : { namespace: set.metadata.namespace }),
      labels: { ...template.metadata.labels, ...set.spec?.selector?.matchLabels },
    },
    ...(template.spec ? { spec: template.spec } : {}),
  }));
}
