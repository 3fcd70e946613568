// The conditions of a CustomResourceDefinition: whether its names are free, whether it is in force, whether a protected
// group may be used. Decided while the definition is written, so that its answer already says so.
import { type Clock, toTime } from '@kedge/core/time';

import { jsonEqual } from '@kedge/model/k8s-patch';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
  CustomResourceDefinitionNames,
} from '@kedge/model/k8s-types';
import type { AdmissionStep } from '../admission/admission.ts';

type Condition = Pick<CustomResourceDefinitionCondition, 'type' | 'status' | 'reason' | 'message'>;
type Status = NonNullable<CustomResourceDefinition['status']>;

/** The names of a definition as far as nobody else of its group has them. */
export function planNames(
  { metadata, spec, status }: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
): { readonly accepted: CustomResourceDefinitionNames; readonly condition: Condition } {
  const taken = others
    .filter((other) => other.spec.group === spec.group && other.metadata.name !== metadata.name)
    .flatMap((other) => other.status?.acceptedNames ?? []);
  const resources = new Set(
    taken.flatMap(({ plural, singular, shortNames = [] }) => [plural, singular, ...shortNames]),
  );
  const kinds = new Set(taken.flatMap(({ kind, listKind }) => [kind, listKind]));
  const { names } = spec;
  const had = status?.acceptedNames;
  const accepted: CustomResourceDefinitionNames = { kind: '', plural: '', ...had };
  let condition: Condition = {
    type: 'NamesAccepted',
    status: 'True',
    reason: 'NoConflicts',
    message: 'no conflicts found',
  };
  const claim = (
    wanted: readonly (string | undefined)[],
    mine: readonly unknown[],
    used: ReadonlySet<unknown>,
  ): string =>
    wanted
      .filter((name) => name !== undefined && !mine.includes(name) && used.has(name))
      .map((name) => `"${name}" is already in use`)
      .join(', ');
  const settle = (reason: string, conflict: string, accept: () => void): void => {
    if (conflict === '') accept();
    else condition = { type: 'NamesAccepted', status: 'False', reason, message: conflict };
  };
  settle('PluralConflict', claim([names.plural], [had?.plural], resources), () => (accepted.plural = names.plural));
  settle('SingularConflict', claim([names.singular], [had?.singular], resources), () =>
    take(accepted, names, 'singular'),
  );
  settle('ShortNamesConflict', claim(names.shortNames ?? [], had?.shortNames ?? [], resources), () =>
    take(accepted, names, 'shortNames'),
  );
  settle('KindConflict', claim([names.kind], [had?.kind], kinds), () => (accepted.kind = names.kind));
  settle('ListKindConflict', claim([names.listKind], [had?.listKind], kinds), () => take(accepted, names, 'listKind'));
  take(accepted, names, 'categories');
  return { accepted, condition };
}

function take<K extends keyof CustomResourceDefinitionNames>(
  to: CustomResourceDefinitionNames,
  from: CustomResourceDefinitionNames,
  field: K,
): void {
  if (from[field] === undefined) delete to[field];
  else to[field] = from[field];
}

const approval = 'api-approved.kubernetes.io';
export const isProtectedGroup = (group: string): boolean => /(?:^|\.)(?:k8s|kubernetes)\.io$/.test(group);

function approvalCondition({ metadata, spec }: CustomResourceDefinition): Condition | undefined {
  if (!isProtectedGroup(spec.group)) return undefined;
  const note = metadata.annotations?.[approval] ?? '';
  const type = 'KubernetesAPIApprovalPolicyConformant';
  if (note.startsWith('unapproved')) {
    return { type, status: 'False', reason: 'UnapprovedAnnotation', message: `not approved: "${note}"` };
  }
  return { type, status: 'True', reason: 'ApprovedAnnotation', message: `approved in ${note}` };
}

/** The status as it has to be; the same object when it is so already. */
export function planStatus(
  definition: CustomResourceDefinition,
  others: readonly CustomResourceDefinition[],
  now: string,
): Status {
  const { accepted, condition } = planNames(definition, others);
  const status = definition.status ?? {};
  const wasEstablished = status.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True');
  const established: Condition =
    wasEstablished || condition.status === 'True'
      ? {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
        }
      : { type: 'Established', status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' };
  const wanted = [condition, established, approvalCondition(definition)].filter((one) => one !== undefined);
  const conditions = wanted.reduce<CustomResourceDefinitionCondition[]>(
    (all, one) => withCondition(all, one, now),
    [...(status.conditions ?? [])],
  );
  return jsonEqual(conditions, status.conditions) && jsonEqual(accepted, status.acceptedNames)
    ? status
    : { ...status, acceptedNames: accepted, conditions };
}

export function withCondition(
  conditions: readonly CustomResourceDefinitionCondition[],
  next: Condition,
  now: string,
): CustomResourceDefinitionCondition[] {
  const old = conditions.find(({ type }) => type === next.type);
  if (old && old.status === next.status && old.reason === next.reason && old.message === next.message)
    return [...conditions];
  const lastTransitionTime = old?.status === next.status ? (old.lastTransitionTime ?? now) : now;
  const made = { ...next, lastTransitionTime };
  return old ? conditions.map((one) => (one === old ? made : one)) : [...conditions, made];
}

export const definitionStatus = (deps: {
  readonly clock: Clock;
  definitions(): readonly CustomResourceDefinition[];
}): AdmissionStep => ({
  name: 'CustomResourceDefinitionStatus',
  admit({ operation, kind, subresource, object }) {
    if (kind.collection !== 'customresourcedefinitions.apiextensions.k8s.io' || operation === 'delete') return;
    if (subresource !== undefined || !object) return;
    const definition = object as unknown as CustomResourceDefinition;
    // What is not even a definition is told to the client by the checks that follow.
    if (!definition.spec?.names?.plural || !definition.spec.group) return;
    definition.status = planStatus(definition, deps.definitions(), toTime(deps.clock.now()));
  },
});
