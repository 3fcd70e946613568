// Which ReplicaSet is the current one of a Deployment, and the annotations that make up its history.
import type { Deployment, PodTemplateSpec, ReplicaSet } from '@kedge/model/k8s-types';
import { jsonEqual } from '@kedge/model/k8s-patch';
import { byAge, desiredReplicas, rolloutLimits } from './rollout-limits.ts';

export const revisionAnnotation = 'deployment.kubernetes.io/revision';
const historyAnnotation = 'deployment.kubernetes.io/revision-history';
export const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas';
export const maxAnnotation = 'deployment.kubernetes.io/max-replicas';
export const hashLabel = 'pod-template-hash';

/** Belong to one object and are not passed on from a Deployment to its ReplicaSets. */
const ownAnnotations: ReadonlySet<string> = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  'deprecated.deployment.rollback.to',
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
]);
const historyLimit = 2_000;

/** Whether an annotation is one that a Deployment and its ReplicaSets share. */
export const passedOn = (annotation: string): boolean => !ownAnnotations.has(annotation);

/** The oldest set made from the Deployment's template; undefined when none was yet. */
export function findNewSet({ spec }: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return sets.toSorted(byAge).find((set) => sameTemplate(set.spec?.template, spec?.template));
}

/** Equality apart from the label that we put there ourselves. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return jsonEqual(withoutHash(a), withoutHash(b));
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const { labels = {}, ...metadata } = template?.metadata ?? {};
  const { [hashLabel]: _, ...others } = labels;
  // Servers differ in whether they keep an empty creationTimestamp in a template.
  const { creationTimestamp: __, ...rest } = metadata;
  return { spec: template?.spec, metadata: { ...rest, labels: others } };
}

export const revisionOf = ({ metadata }: { metadata: ReplicaSet['metadata'] }): number =>
  Number(metadata.annotations?.[revisionAnnotation] ?? 0) || 0;

/** The annotations the current set must have at `revision`; its sizes are left alone, since scaling compares with them. */
export function currentAnnotations(
  deployment: Deployment,
  set: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const before = set?.metadata.annotations ?? {};
  const shared = Object.entries(deployment.metadata.annotations ?? {}).filter(([name]) => passedOn(name));
  return { ...before, ...Object.fromEntries(shared), ...revisionAnnotations(before, revision) };
}

/** What a set remembers of the Deployment's size, for scaling in proportion later. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const desired = desiredReplicas(deployment);
  return {
    [desiredAnnotation]: String(desired),
    [maxAnnotation]: String(desired + rolloutLimits(deployment).maxSurge),
  };
}

/** A set that becomes current again keeps its former numbers as history. */
function revisionAnnotations(before: Record<string, string>, revision: number): Record<string, string> {
  const old = before[revisionAnnotation];
  if (old === undefined || (Number(old) || 0) >= revision) return { [revisionAnnotation]: old ?? String(revision) };
  const history = [...(before[historyAnnotation]?.split(',') ?? []), old].join(',');
  return {
    [revisionAnnotation]: String(revision),
    ...(history.length <= historyLimit ? { [historyAnnotation]: history } : {}),
  };
}
