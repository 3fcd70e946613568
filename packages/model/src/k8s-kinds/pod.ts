// Pods: what they start with, and what little of them may change.
import { forbiddenField, invalidField, qosClass } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual, jsonKey } from '../k8s-patch/index.ts';
import type { Container, Pod, PodSpec, Toleration } from '../k8s-types/index.ts';
import { createRules } from './kind-rules.ts';
import { checkPodSpec } from './pod-checks.ts';
import { defaultPod } from '../k8s-defaults/index.ts';

const updatable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

/** No scheduler looks at such a pod, so nobody else would say it. */
const gated = {
  type: 'PodScheduled',
  status: 'False',
  reason: 'SchedulingGated',
  message: 'Scheduling is blocked due to non-empty scheduling gates',
};

export const podRules = createRules<Pod>({
  defaults: defaultPod,
  prepareCreate: (pod) => ({
    ...pod,
    status: {
      phase: 'Pending',
      qosClass: qosClass(pod),
      ...(pod.spec?.schedulingGates?.length ? { conditions: [gated] } : {}),
    },
  }),
  validate: (pod) => checkPodSpec(pod.spec!, 'spec'),
  validateUpdate: (pod, old) => checkPodUpdate(pod.spec!, old.spec!),
});

/**
 * The binding subresource sets the node, and ephemeral containers and resources have subresources of their own; all three
 * write the spec past this check.
 */
function checkPodUpdate(spec: PodSpec, old: PodSpec): FieldError[] {
  const counts = (['containers', 'initContainers'] as const).filter(
    (field) => spec[field]?.length !== old[field]?.length,
  );
  if (counts.length > 0)
    return counts.map((field) => forbiddenField(`spec.${field}`, 'pod updates may not add or remove containers'));
  const errors = [...checkDeadline(spec, old), ...checkAddedTolerations(spec, old), ...checkGates(spec, old)];
  const rest = { ...spec, ...keep(old) };
  rest.containers = withImages(spec.containers, old.containers);
  if (spec.initContainers) rest.initContainers = withImages(spec.initContainers, old.initContainers ?? []);
  if (
    old.terminationGracePeriodSeconds !== undefined &&
    old.terminationGracePeriodSeconds < 0 &&
    spec.terminationGracePeriodSeconds === 1
  ) {
    rest.terminationGracePeriodSeconds = old.terminationGracePeriodSeconds;
  }
  if (isGated(old)) Object.assign(rest, placementOf(old));
  const changed = changedFields(rest, old);
  if (changed.length === 0) return errors;
  return [
    ...errors,
    forbiddenField(
      'spec',
      `pod updates may not change fields other than ${updatable}\nchanged: ${changed.map((field) => `spec.${field}`).join(', ')}`,
    ),
  ];
}

const mutable = ['activeDeadlineSeconds', 'tolerations', 'schedulingGates'] as const;

/** The old values of fields that have rules of their own, absent ones included. */
const keep = (old: PodSpec): object => Object.fromEntries(mutable.map((field) => [field, old[field]]));

function withImages(containers: readonly Container[], old: readonly Container[]): Container[] {
  return containers.map((container, i) => {
    const image = old[i]?.image;
    const copy = { ...container };
    if (image === undefined) delete copy.image;
    else copy.image = image;
    return copy;
  });
}

const isGated = (spec: PodSpec): boolean => (spec.schedulingGates?.length ?? 0) > 0;
/** While a pod is held back from scheduling, where it may go can still be narrowed. */
const placementOf = ({ nodeSelector, affinity }: PodSpec): object => ({ nodeSelector, affinity });

const changedFields = (spec: PodSpec, old: PodSpec): string[] => {
  const fields = new Set([...Object.keys(spec), ...Object.keys(old)]) as Set<keyof PodSpec>;
  return [...fields].filter((field) => !jsonEqual(spec[field], old[field])).toSorted();
};

function checkDeadline(
  { activeDeadlineSeconds: now }: PodSpec,
  { activeDeadlineSeconds: before }: PodSpec,
): FieldError[] {
  const path = 'spec.activeDeadlineSeconds';
  if (before === undefined) return [];
  if (now === undefined) return [invalidField(path, now, 'must not update from a positive integer to nil value')];
  return now > before ? [invalidField(path, now, 'must be less than or equal to previous value')] : [];
}

function checkAddedTolerations({ tolerations = [] }: PodSpec, { tolerations: old = [] }: PodSpec): FieldError[] {
  const identity = ({ key, operator, value, effect }: Toleration): string => jsonKey([key, operator, value, effect]);
  const now = new Set(tolerations.map(identity));
  const kept = old.every((before) => now.has(identity(before)));
  return kept
    ? []
    : [forbiddenField('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}

function checkGates({ schedulingGates = [] }: PodSpec, { schedulingGates: old = [] }: PodSpec): FieldError[] {
  const known = new Set(old.map(({ name }) => name));
  const added = schedulingGates.filter(({ name }) => !known.has(name));
  return added.map(({ name }) =>
    forbiddenField('spec.schedulingGates', `only deletion is allowed, but found new scheduling gate '${name}'`),
  );
}
