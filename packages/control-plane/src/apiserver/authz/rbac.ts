// RBAC: roles and bindings as they are stored, evaluated for one request. Parsed roles are kept until one is written.
import type { ApiUser } from '@kedge/engine/kube-api';
import { labelSelectorOf, matchesLabels } from '@kedge/model/k8s-selectors';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '@kedge/model/k8s-types';
import type { Attributes, Authorizer } from './attributes.ts';

export interface RbacObjects {
  readonly roles: readonly Role[];
  readonly clusterRoles: readonly ClusterRole[];
  readonly roleBindings: readonly RoleBinding[];
  readonly clusterRoleBindings: readonly ClusterRoleBinding[];
}

export interface Rbac extends Authorizer {
  /** Roles or bindings have changed. */
  forget(): void;
  /** What a role allows; undefined when there is no such role. */
  rulesOf(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined;
  /** The rules that hold for a user in a namespace. */
  rulesFor(user: ApiUser, namespace: string): readonly PolicyRule[];
}

export function createRbac(read: () => RbacObjects): Rbac {
  let known: Index | undefined;
  const index = (): Index => (known ??= createIndex(read()));

  /** Every rule that binds the user here, with the binding's name for the log. */
  function* grants(user: ApiUser, namespace: string): Iterable<{ rule: PolicyRule; by: string }> {
    const { objects, rulesOf } = index();
    for (const { subjects, roleRef, metadata } of objects.clusterRoleBindings) {
      if (!subjects?.some((subject) => isSubject(subject, user, ''))) continue;
      for (const rule of rulesOf(roleRef, '') ?? [])
        yield { rule, by: `ClusterRoleBinding "${metadata?.name}" of ${roleRef.kind} "${roleRef.name}"` };
    }
    if (!namespace) return;
    for (const { subjects, roleRef, metadata } of objects.roleBindings) {
      if (metadata?.namespace !== namespace) continue;
      if (!subjects?.some((subject) => isSubject(subject, user, namespace))) continue;
      for (const rule of rulesOf(roleRef, namespace) ?? []) {
        yield { rule, by: `RoleBinding "${metadata.name}/${namespace}" of ${roleRef.kind} "${roleRef.name}"` };
      }
    }
  }

  return {
    forget: () => (known = undefined),
    rulesOf: (ref, namespace) => index().rulesOf(ref, namespace),
    rulesFor: (user, namespace) => [...grants(user, namespace)].map(({ rule }) => rule),
    decide(user, attributes) {
      const namespace = attributes.isResource ? attributes.namespace : '';
      for (const { rule, by } of grants(user, namespace)) {
        if (allows(rule, attributes)) return { allowed: true, reason: `RBAC: allowed by ${by}` };
      }
      return { allowed: false, reason: '' };
    },
  };
}

interface Index {
  readonly objects: RbacObjects;
  rulesOf(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined;
}

function createIndex(objects: RbacObjects): Index {
  const clusterRoles = new Map<string, readonly PolicyRule[]>();
  for (const role of objects.clusterRoles)
    clusterRoles.set(role.metadata?.name ?? '', effectiveRules(role, objects.clusterRoles));
  const roles = new Map(
    objects.roles.map((role) => [`${role.metadata?.namespace}/${role.metadata?.name}`, role.rules ?? []] as const),
  );
  return {
    objects,
    rulesOf: (ref, namespace) =>
      ref.kind === 'ClusterRole' ? clusterRoles.get(ref.name) : roles.get(`${namespace}/${ref.name}`),
  };
}

/** What a role allows, aggregated ones included before anybody has written it down. */
const effectiveRules = (role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] =>
  role.aggregationRule ? aggregatedRules(role, all) : (role.rules ?? []);

/** The rules of every role that the selectors match, and of those that these aggregate; each once, in order of names. */
export function aggregatedRules(role: ClusterRole, all: readonly ClusterRole[]): readonly PolicyRule[] {
  const found = new Map<string, PolicyRule>();
  const seen = new Set<ClusterRole>();
  const collect = (from: ClusterRole): void => {
    if (seen.has(from)) return;
    seen.add(from);
    const selectors = from.aggregationRule?.clusterRoleSelectors?.map((selector) => labelSelectorOf(selector));
    if (!selectors) {
      for (const rule of from.rules ?? []) found.set(JSON.stringify(rule), rule);
      return;
    }
    const matching = all.filter(
      (other) => other !== from && selectors.some((selector) => matchesLabels(selector, other.metadata?.labels)),
    );
    for (const other of matching.toSorted((a, b) => ((a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1)))
      collect(other);
  };
  collect(role);
  return [...found.values()];
}

function isSubject(subject: Subject, user: ApiUser, namespace: string): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === user.name;
    case 'Group':
      return user.groups.includes(subject.name);
    case 'ServiceAccount':
      return user.name === `system:serviceaccount:${subject.namespace ?? namespace}:${subject.name}`;
    default:
      return false;
  }
}

const covers = (allowed: readonly string[] | undefined, asked: string): boolean =>
  allowed?.some((one) => one === '*' || one === asked) ?? false;

export function allows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!covers(rule.verbs, attributes.verb)) return false;
  if (!attributes.isResource) {
    return (rule.nonResourceURLs ?? []).some(
      (url) => url === attributes.path || (url.endsWith('*') && attributes.path.startsWith(url.slice(0, -1))),
    );
  }
  const { resource, subresource, group, name } = attributes;
  const what = subresource ? `${resource}/${subresource}` : resource;
  const coversResource = (rule.resources ?? []).some(
    (one) => one === '*' || one === what || (subresource !== '' && one === `*/${subresource}`),
  );
  if (!covers(rule.apiGroups, group) || !coversResource) return false;
  return (rule.resourceNames ?? []).length === 0 || (name !== '' && rule.resourceNames!.includes(name));
}
