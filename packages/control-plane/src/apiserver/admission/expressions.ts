// Expressions of admission: match conditions of webhooks, and admission policies. They see the object, its state before
// and the request, without types.
import type { KubeObject } from '@kedge/model/k8s';
import { type Cel, compile, type Compiled, loadCel, Meter, toDynamic } from '@kedge/model/k8s-cel';
import type { MatchCondition } from '@kedge/model/k8s-types';
import type { Authorizer } from '../authz/attributes.ts';
import type { Kind } from '../kinds/kind.ts';
import type { AdmissionRequest } from './admission.ts';
import { authorizerValue, registerAuthorizer } from './expression-authorizer.ts';
import { aboutRequest, inForm } from './webhooks/admission-review.ts';
import type { ConditionVerdict } from './webhooks/webhook-admission.ts';

/** Expressions of one server; compiled ones are kept by their text. */
export interface Expressions {
  compile(text: string, wanted: readonly string[]): Promise<Compiled>;
  /** Why an expression that is about to be stored cannot be used; it may name only what `scope` has. */
  problem(text: string, wanted: readonly string[], scope: ExpressionScope): Promise<string | undefined>;
  variables(request: AdmissionRequest, as: Kind, more?: Readonly<Record<string, unknown>>): Record<string, unknown>;
  /** Whether all conditions hold: a false one decides over one that fails. */
  meets(
    conditions: readonly MatchCondition[],
    request: AdmissionRequest,
    as: Kind,
    variables?: Readonly<Record<string, unknown>>,
  ): Promise<ConditionVerdict>;
}

/** What an expression may name besides the object, its state before, the request and the namespace. */
export interface ExpressionScope {
  readonly params?: boolean;
  readonly authorizer?: boolean;
  /** Variables of a policy that are declared before it. */
  readonly variables?: readonly string[];
}

const everywhere = ['object', 'oldObject', 'request', 'namespaceObject'];
const names = ['object', 'oldObject', 'request', 'namespaceObject', 'params', 'variables'];
const maxKept = 500;

/** Only to give the variables of a policy a type while its expressions are checked. */
class Variables {
  readonly of = 'policy';
}

export function createExpressions(deps: {
  readonly authorizer: Authorizer;
  readNamespace(name: string): KubeObject | undefined;
}): Expressions {
  const kept = new Map<string, Compiled>();
  let environment: Promise<ReturnType<Cel['open']>> | undefined;

  async function open(): Promise<ReturnType<Cel['open']>> {
    const env = (await loadCel()).open();
    registerAuthorizer(env);
    for (const name of names) env.registerVariable(name, 'dyn');
    return env;
  }

  /** As `open`, with no more than a scope has; the values of variables have any type. */
  async function openScope({ params, authorizer, variables }: ExpressionScope): Promise<ReturnType<Cel['open']>> {
    const env = (await loadCel()).open();
    if (authorizer) registerAuthorizer(env);
    for (const name of everywhere) env.registerVariable(name, 'dyn');
    if (params) env.registerVariable('params', 'dyn');
    if (variables) {
      const fields = Object.fromEntries(variables.map((name) => [name, 'dyn']));
      env.registerType('kubernetes.variables', { ctor: Variables, fields });
      env.registerVariable('variables', 'kubernetes.variables');
    }
    return env;
  }
  const sayWanted = (wanted: readonly string[]): string => `must evaluate to ${wanted.join(' or ')}`;

  const expressions: Expressions = {
    async problem(text, wanted, scope) {
      const compiled = compile(await openScope(scope), text, wanted, sayWanted(wanted));
      return compiled.ok ? undefined : compiled.why;
    },
    async compile(text, wanted) {
      const key = `${wanted.join()}\n${text}`;
      const known = kept.get(key);
      if (known) return known;
      const compiled = compile(await (environment ??= open()), text, wanted, sayWanted(wanted));
      if (kept.size >= maxKept) kept.clear();
      kept.set(key, compiled);
      return compiled;
    },
    variables(request, as, more = {}) {
      const namespace = (): KubeObject | undefined =>
        request.namespace === undefined ? undefined : deps.readNamespace(request.namespace);
      const object = once(() => toDynamic(inForm(request.object, request.kind, as)));
      const oldObject = once(() => toDynamic(inForm(request.before, request.kind, as)));
      const about = once(() => toDynamic(aboutRequest(request, as)));
      const namespaceObject = once(() => toDynamic(namespace() ?? null));
      const authorizer = once(() => authorizerValue(deps.authorizer, request.user, request));
      return {
        get object() {
          return object();
        },
        get oldObject() {
          return oldObject();
        },
        get request() {
          return about();
        },
        get namespaceObject() {
          return namespaceObject();
        },
        get authorizer() {
          return authorizer();
        },
        params: more['params'] ?? null,
        variables: new Map(),
      };
    },
    async meets(conditions, request, as, variables = expressions.variables(request, as)) {
      const meter = new Meter();
      let failed: string | undefined;
      for (const { name, expression } of conditions) {
        const compiled = await expressions.compile(expression, ['bool']);
        const outcome = compiled.ok ? compiled.expression.evaluate(variables, meter) : compiled;
        if (outcome.ok && outcome.value === false) return 'differs';
        if (!outcome.ok) failed ??= `${name}: ${outcome.why}`;
        else if (outcome.value !== true) failed ??= `${name}: must evaluate to a bool`;
      }
      return failed === undefined ? 'matches' : { error: failed };
    },
  };
  return expressions;
}

/** What is made when it is first asked for. */
function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
