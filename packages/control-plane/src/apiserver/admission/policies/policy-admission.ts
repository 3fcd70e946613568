// ValidatingAdmissionPolicies: for each binding of a policy that fits the request, its expressions decide whether the write
// is refused, warned of or noted in the audit log.
import type { Call } from '@kedge/engine/kube-api';
import { fail, httpCodes, invalidField, invalidObject, type FieldError, type KubeObject } from '@kedge/model/k8s';
import { type Evaluated, Meter, toDynamic } from '@kedge/model/k8s-cel';
import { labelSelectorOf, matchesLabels } from '@kedge/model/k8s-selectors';
import type {
  MatchResources,
  ParamRef,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicySpec,
  Validation,
} from '@kedge/model/k8s-types';
import type { Kind } from '../../kinds/kind.ts';
import type { AdmissionRequest, AdmissionStep } from '../admission.ts';
import type { Expressions, ExpressionScope } from '../expressions.ts';
import { type Constraints, type MatchDeps, matchRequest } from '../webhooks/match-request.ts';

export interface PolicyDeps extends MatchDeps {
  readonly expressions: Expressions;
  all<T>(collection: string): readonly T[];
  /** The kind that parameters are of. */
  kindOf(apiVersion: string, kind: string): Kind | undefined;
  /** Parameters as they are stored. */
  paramsIn(kind: Kind, namespace: string | undefined): readonly KubeObject[];
}

export interface PolicyAdmission extends AdmissionStep {
  /** A policy or a binding was written. */
  forget(): void;
}

interface Bound {
  readonly policy: ValidatingAdmissionPolicy;
  readonly bindings: readonly ValidatingAdmissionPolicyBinding[];
}
interface Refusal {
  readonly message: string;
  readonly reason: 'Forbidden' | 'Invalid' | 'RequestEntityTooLarge' | 'Unauthorized';
}

const group = 'admissionregistration.k8s.io';
const policies = `validatingadmissionpolicies.${group}`;
const bindings = `validatingadmissionpolicybindings.${group}`;
const exempt = new Set([
  policies,
  bindings,
  `mutatingwebhookconfigurations.${group}`,
  `validatingwebhookconfigurations.${group}`,
  'tokenreviews.authentication.k8s.io',
  'subjectaccessreviews.authorization.k8s.io',
]);
const maxNote = 10 * 1024;

export function createPolicyAdmission(deps: PolicyDeps): PolicyAdmission {
  const { expressions } = deps;
  let known: readonly Bound[] | undefined;

  function load(): readonly Bound[] {
    const all = deps.all<ValidatingAdmissionPolicyBinding>(bindings);
    const byName = (a: { metadata: { name?: string } }, b: { metadata: { name?: string } }): number =>
      (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
    return deps
      .all<ValidatingAdmissionPolicy>(policies)
      .toSorted(byName)
      .map((policy) => ({
        policy,
        bindings: all.filter(({ spec }) => spec?.policyName === policy.metadata.name).toSorted(byName),
      }));
  }

  return {
    name: 'ValidatingAdmissionPolicy',
    forget: () => (known = undefined),
    async validate(request, call) {
      if (request.kind.collection === policies && request.object && request.subresource === undefined)
        return refuseBroken(expressions, request);
      if (exempt.has(request.kind.collection)) return;
      for (const { policy, bindings: bound } of (known ??= load())) {
        const match = bound.length > 0 && matchRequest(constraintsOf(policy.spec?.matchConstraints), request, deps);
        if (!match) continue;
        for (const binding of bound) await applyBinding(deps, { policy, binding, as: match.kind }, request, call);
      }
    },
  };
}

const constraintsOf = (match: MatchResources = {}): Constraints => ({
  rules: match.resourceRules,
  excludeRules: match.excludeResourceRules,
  matchPolicy: match.matchPolicy,
  namespaceSelector: match.namespaceSelector,
  objectSelector: match.objectSelector,
});

interface Applied {
  readonly policy: ValidatingAdmissionPolicy;
  readonly binding: ValidatingAdmissionPolicyBinding;
  readonly as: Kind;
}

async function applyBinding(deps: PolicyDeps, applied: Applied, request: AdmissionRequest, call: Call): Promise<void> {
  const { policy, binding } = applied;
  const spec = policy.spec ?? {};
  const resources = binding.spec?.matchResources;
  if (resources) {
    // A binding narrows; without rules of its own it takes those of the policy.
    const own = { ...constraintsOf(resources), rules: resources.resourceRules ?? spec.matchConstraints?.resourceRules };
    if (!matchRequest(own, request, deps)) return;
  }
  const params = findParams(deps, spec, binding.spec?.paramRef, request);
  if ('why' in params) {
    if (spec.failurePolicy !== 'Ignore')
      throw denied(applied, request, { message: `failed to configure binding: ${params.why}`, reason: 'Invalid' });
    return;
  }
  for (const param of params.objects) await evaluate(deps, applied, request, param, call);
}

async function evaluate(
  { expressions }: PolicyDeps,
  applied: Applied,
  request: AdmissionRequest,
  param: KubeObject | undefined,
  call: Call,
): Promise<void> {
  const { policy, binding, as } = applied;
  const spec = policy.spec ?? {};
  const meter = new Meter();
  const given = expressions.variables(request, as, { params: toDynamic(param ?? null) });
  const run = async (text: string, wanted: readonly string[]): Promise<Evaluated> => {
    const compiled = await expressions.compile(text, wanted);
    return compiled.ok ? compiled.expression.evaluate(given, meter) : { ...compiled, overBudget: false };
  };
  if (spec.matchConditions?.length) {
    const verdict = await expressions.meets(spec.matchConditions, request, as, given);
    if (verdict === 'differs') return;
    if (verdict !== 'matches') return onError(applied, request, verdict.error, call);
  }
  const failed = new Map<string, string>();
  const variables = given['variables'] as Map<string, unknown>;
  for (const { name, expression } of spec.variables ?? []) {
    const outcome = await run(expression, anything);
    if (outcome.ok) variables.set(name, outcome.value);
    else failed.set(name, outcome.why);
  }
  const explained = (why: string): string => {
    const missing = /^no such key: (\w+)$/.exec(why)?.[1] ?? '';
    return failed.has(missing) ? `composited variable "${missing}" fails to evaluate: ${failed.get(missing)}` : why;
  };
  for (const [at, validation] of (spec.validations ?? []).entries()) {
    const outcome = await run(validation.expression, ['bool']);
    if (outcome.ok && outcome.value === true) continue;
    if (!outcome.ok) {
      const text = `expression '${validation.expression.trim()}' resulted in error: ${explained(outcome.why)}`;
      onError(applied, request, text, call);
      continue;
    }
    const message = await messageOf(validation, run);
    const reason = (validation.reason ?? 'Invalid') as Refusal['reason'];
    act(applied, request, { message, reason }, at, call);
  }
  for (const { key, valueExpression } of spec.auditAnnotations ?? []) {
    const outcome = await run(valueExpression, ['string', 'null']);
    if (outcome.ok && typeof outcome.value === 'string' && outcome.value !== '')
      call.annotate?.(`${policy.metadata.name}/${key}`, outcome.value.slice(0, maxNote));
    else if (!outcome.ok) onError({ ...applied, binding }, request, explained(outcome.why), call);
  }
}

const anything = ['bool', 'int', 'uint', 'double', 'string', 'bytes', 'list', 'map', 'null'];

async function messageOf(
  { message, messageExpression, expression }: Validation,
  run: (text: string, wanted: readonly string[]) => Promise<Evaluated>,
): Promise<string> {
  const outcome = messageExpression ? await run(messageExpression, ['string']) : undefined;
  const made = outcome?.ok && typeof outcome.value === 'string' ? outcome.value.trim() : '';
  if (made !== '' && !made.includes('\n') && made.length <= 5_120) return made;
  return message?.trim() || `failed expression: ${expression.trim()}`;
}

/** What cannot be told is refused, unless the policy says that it does not matter. */
function onError(applied: Applied, request: AdmissionRequest, message: string, call: Call): void {
  if (applied.policy.spec?.failurePolicy === 'Ignore') return;
  act(applied, request, { message, reason: 'Invalid' }, 0, call);
}

function act(applied: Applied, request: AdmissionRequest, refusal: Refusal, index: number, call: Call): void {
  const { policy, binding } = applied;
  const { validationActions = [] } = binding.spec ?? {};
  const names = [policy.metadata.name, binding.metadata.name];
  if (validationActions.includes('Warn')) {
    call.warn(
      `Validation failed for ValidatingAdmissionPolicy '${names[0]}' with binding '${names[1]}': ${refusal.message}`,
    );
  }
  if (validationActions.includes('Audit')) {
    const note = {
      message: refusal.message,
      policy: names[0],
      binding: names[1],
      expressionIndex: index,
      validationActions,
    };
    call.annotate?.('validation.policy.admission.k8s.io/validation_failure', JSON.stringify([note]));
  }
  if (validationActions.includes('Deny')) throw denied(applied, request, refusal);
}

function denied({ policy, binding }: Applied, { kind, name }: AdmissionRequest, { message, reason }: Refusal): Error {
  const { group: of, resource } = kind.served;
  const why = `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${binding.metadata.name}' denied request: ${message}`;
  const error = fail(reason, `${of ? `${resource}.${of}` : resource} "${name}" is forbidden: ${why}`, {
    name,
    ...(of ? { group: of } : {}),
    kind: resource,
    causes: [{ message: why }],
  });
  error.status.code = httpCodes[reason];
  return error;
}

function findParams(
  deps: PolicyDeps,
  { paramKind }: ValidatingAdmissionPolicySpec,
  ref: ParamRef | undefined,
  request: AdmissionRequest,
): { readonly objects: readonly (KubeObject | undefined)[] } | { readonly why: string } {
  if (!paramKind || !ref) return { objects: [undefined] };
  const kind = deps.kindOf(paramKind.apiVersion ?? '', paramKind.kind ?? '');
  if (!kind)
    return {
      why: `failed to find resource referenced by paramKind: '${paramKind.apiVersion}, Kind=${paramKind.kind}'`,
    };
  const { namespaced } = kind.served;
  if (namespaced && !ref.namespace && request.namespace === undefined)
    return { why: 'cannot use namespaced paramRef in policy binding that matches cluster-scoped resources' };
  const namespace = namespaced ? ref.namespace || request.namespace : undefined;
  const selector = ref.selector && labelSelectorOf(ref.selector);
  const objects = deps
    .paramsIn(kind, namespace)
    .filter(({ metadata }) =>
      ref.name ? metadata.name === ref.name : matchesLabels(selector ?? 'nothing', metadata.labels),
    );
  if (objects.length > 0) return { objects };
  return ref.parameterNotFoundAction === 'Allow'
    ? { objects: [] }
    : { why: 'no params found for policy binding with `Deny` parameterNotFoundAction' };
}

/** A policy whose expressions cannot be compiled is refused as a whole. */
async function refuseBroken(expressions: Expressions, { object, before, kind, name }: AdmissionRequest): Promise<void> {
  const spec = (object as ValidatingAdmissionPolicy).spec ?? {};
  if (before && JSON.stringify(before['spec']) === JSON.stringify(spec)) return;
  const errors: FieldError[] = [];
  const check = async (
    text: string | undefined,
    wanted: readonly string[],
    scope: ExpressionScope,
    path: string,
  ): Promise<void> => {
    const why = text?.trim() ? await expressions.problem(text, wanted, scope) : undefined;
    if (why !== undefined) errors.push(invalidField(path, text, why));
  };
  const declared = (spec.variables ?? []).map(({ name }) => name);
  const conditions = { params: spec.paramKind !== undefined, authorizer: true };
  const all = { ...conditions, variables: declared };
  for (const [at, { expression }] of (spec.variables ?? []).entries()) {
    // Each sees those before it.
    const scope = { ...conditions, variables: declared.slice(0, at) };
    await check(expression, anything, scope, `spec.variables[${at}].expression`);
  }
  for (const [at, { expression }] of (spec.matchConditions ?? []).entries())
    await check(expression, ['bool'], conditions, `spec.matchConditions[${at}].expression`);
  for (const [at, { expression, messageExpression }] of (spec.validations ?? []).entries()) {
    await check(expression, ['bool'], all, `spec.validations[${at}].expression`);
    await check(
      messageExpression,
      ['string'],
      { ...all, authorizer: false },
      `spec.validations[${at}].messageExpression`,
    );
  }
  for (const [at, { valueExpression }] of (spec.auditAnnotations ?? []).entries())
    await check(valueExpression, ['string', 'null'], all, `spec.auditAnnotations[${at}].valueExpression`);
  if (errors.length > 0) throw invalidObject(kind.served, name, errors);
}
