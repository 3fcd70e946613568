// Whether a webhook or a policy wants to see a request: rules, then the labels of the namespace and of the object.
import type { KubeObject } from '@kedge/model/k8s';
import { labelSelectorOf, matchesLabels } from '@kedge/model/k8s-selectors';
import type { LabelSelector, RuleWithOperations } from '@kedge/model/k8s-types';
import type { Kind } from '../../kinds/kind.ts';
import type { AdmissionRequest } from '../admission.ts';

export interface Constraints {
  readonly rules?: readonly (RuleWithOperations & { readonly resourceNames?: readonly string[] })[] | undefined;
  readonly excludeRules?: readonly (RuleWithOperations & { readonly resourceNames?: readonly string[] })[] | undefined;
  readonly matchPolicy?: string | undefined;
  readonly namespaceSelector?: LabelSelector | undefined;
  readonly objectSelector?: LabelSelector | undefined;
}

export interface MatchDeps {
  readNamespace(name: string): KubeObject | undefined;
  /** The other served forms of a kind: its versions, and the groups that serve the same objects. */
  formsOf(kind: Kind): readonly Kind[];
}

/** The form in which the object is wanted; undefined when the request is of no interest. */
export function matchRequest(
  constraints: Constraints,
  request: AdmissionRequest,
  deps: MatchDeps,
): { readonly kind: Kind } | undefined {
  if (constraints.excludeRules?.some((rule) => ruleMatches(rule, request, request.kind))) return undefined;
  const kind = formFor(constraints, request, deps);
  if (!kind || !namespaceMatches(constraints, request, deps) || !objectMatches(constraints, request)) return undefined;
  return { kind };
}

function formFor(
  { rules = [], matchPolicy }: Constraints,
  request: AdmissionRequest,
  deps: MatchDeps,
): Kind | undefined {
  const wants = (kind: Kind): boolean => rules.some((rule) => ruleMatches(rule, request, kind));
  if (wants(request.kind)) return request.kind;
  return matchPolicy === 'Exact' ? undefined : deps.formsOf(request.kind).find(wants);
}

type Rule = NonNullable<Constraints['rules']>[number];

function ruleMatches(rule: Rule, request: AdmissionRequest, kind: Kind): boolean {
  const has = (list: readonly string[] | undefined, one: string): boolean =>
    list?.some((item) => item === '*' || item === one) ?? false;
  const { served } = kind;
  return (
    has(rule.operations, request.operation.toUpperCase()) &&
    has(rule.apiGroups, served.group) &&
    has(rule.apiVersions, served.version) &&
    (rule.resources ?? []).some((one) => resourceMatches(one, served.resource, request.subresource ?? '')) &&
    scopeMatches(rule.scope, request) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(request.name))
  );
}

function resourceMatches(wanted: string, resource: string, subresource: string): boolean {
  const [name, part = ''] = wanted.split('/');
  return (name === '*' || name === resource) && (part === '*' || part === subresource);
}

const isNamespace = ({ kind }: AdmissionRequest): boolean => kind.collection === 'namespaces';

function scopeMatches(scope: string | undefined, request: AdmissionRequest): boolean {
  if (!scope || scope === '*') return true;
  const isNamespaced = request.namespace !== undefined && !isNamespace(request);
  return isNamespaced === (scope === 'Namespaced');
}

function namespaceMatches({ namespaceSelector }: Constraints, request: AdmissionRequest, deps: MatchDeps): boolean {
  if (isEmpty(namespaceSelector)) return true;
  const selector = labelSelectorOf(namespaceSelector);
  if (isNamespace(request)) return matchesLabels(selector, (request.object ?? request.before)?.metadata.labels);
  if (request.namespace === undefined) return true;
  return matchesLabels(selector, deps.readNamespace(request.namespace)?.metadata.labels);
}

function objectMatches({ objectSelector }: Constraints, { object, before }: AdmissionRequest): boolean {
  if (isEmpty(objectSelector)) return true;
  const selector = labelSelectorOf(objectSelector);
  return [object, before].some((state) => state !== undefined && matchesLabels(selector, state.metadata.labels));
}

const isEmpty = (selector: LabelSelector | undefined): boolean =>
  !selector || (!Object.keys(selector.matchLabels ?? {}).length && !selector.matchExpressions?.length);
