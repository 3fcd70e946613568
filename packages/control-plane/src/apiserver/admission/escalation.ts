// Nobody hands out more than they have: whoever writes a role must hold its rules, and whoever binds one must too, unless
// the verbs `escalate` and `bind` say otherwise.
import type { ApiUser } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { PolicyRule, RoleRef } from '@kedge/model/k8s-types';
import type { Attributes, Authorizer } from '../authz/attributes.ts';
import type { AdmissionRequest, AdmissionStep } from './admission.ts';

const group = 'rbac.authorization.k8s.io';

export interface EscalationDeps {
  readonly authorizer: Authorizer;
  /** Undefined when there is no such role. */
  rulesOf(ref: RoleRef, namespace: string): readonly PolicyRule[] | undefined;
}

export const noEscalation = ({ authorizer, rulesOf }: EscalationDeps): AdmissionStep => {
  const may = (user: ApiUser, verb: string, resource: string, namespace: string, name: string): boolean =>
    authorizer.decide(user, { isResource: true, verb, group, resource, subresource: '', namespace, name }).allowed;

  function demandHeld(request: AdmissionRequest, rules: readonly PolicyRule[]): void {
    const { user, kind, name, namespace = '' } = request;
    const missing = rules
      .flatMap((rule) => atoms(rule, namespace))
      .filter((atom) => !authorizer.decide(user, atom).allowed);
    if (missing.length === 0) return;
    const what = inRules(missing)
      .map((rule) => `\n${rule}`)
      .join('');
    throw fail(
      'Forbidden',
      `${kind.served.resource}.${group} "${name}" is forbidden: user "${user.name}" (groups=${JSON.stringify(user.groups)}) is attempting to grant RBAC permissions not currently held:${what}`,
      { name, group, kind: kind.served.resource },
    );
  }

  return {
    name: 'NoEscalation',
    admit: check,
    // Once more: a webhook must not hand out what its caller does not have.
    validate: check,
  };

  function check(request: AdmissionRequest): void {
    const { operation, kind, object, before, user, namespace = '', name } = request;
    if (operation === 'delete' || kind.served.group !== group || !object) return;
    const { resource } = kind.served;
    if (resource === 'roles' || resource === 'clusterroles') {
      if (
        before &&
        jsonEqual(before['rules'], object['rules']) &&
        jsonEqual(before['aggregationRule'], object['aggregationRule'])
      )
        return;
      if (may(user, 'escalate', resource, namespace, name)) return;
      // What an aggregated role will hold is not known now, so it takes the right to everything.
      const all = object['aggregationRule'] ? everything : [];
      demandHeld(request, [...((object['rules'] as PolicyRule[] | undefined) ?? []), ...all]);
      return;
    }
    const ref = object['roleRef'] as RoleRef | undefined;
    if (!ref || (before && jsonEqual(withoutUpkeep(before), withoutUpkeep(object)))) return;
    const what = ref.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
    if (may(user, 'bind', what, namespace, ref.name)) return;
    const rules = rulesOf(ref, namespace);
    // A role that comes later may hold anything.
    if (!rules)
      throw fail('NotFound', `${what}.${group} "${ref.name}" not found`, { name: ref.name, group, kind: what });
    demandHeld(request, rules);
  }
};

const everything: readonly PolicyRule[] = [
  { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
  { nonResourceURLs: ['*'], verbs: ['*'] },
];

/** Without what a garbage collector has to change so that the object can go, whoever bound what. */
function withoutUpkeep({ metadata, ...rest }: KubeObject): unknown {
  const {
    ownerReferences: _,
    finalizers: __,
    resourceVersion: ___,
    generation: ____,
    managedFields: _____,
    ...kept
  } = metadata;
  return { ...rest, metadata: kept };
}

/** Single questions as rules again: the verbs of one resource in one line, as Kubernetes says it. */
function inRules(missing: readonly Attributes[]): string[] {
  const verbs = new Map<string, string[]>();
  for (const atom of missing) {
    const list = (name: string, value: string): string => `${name}:["${value}"]`;
    const what = atom.isResource
      ? [
          list('APIGroups', atom.group),
          list('Resources', atom.subresource ? `${atom.resource}/${atom.subresource}` : atom.resource),
          ...(atom.name ? [list('ResourceNames', atom.name)] : []),
        ].join(', ')
      : list('NonResourceURLs', atom.path);
    verbs.set(what, [...(verbs.get(what) ?? []), atom.verb]);
  }
  return [...verbs].map(([what, of]) => `{${what}, Verbs:[${of.map((verb) => `"${verb}"`).join(' ')}]}`);
}

/** A rule as single questions. */
function atoms(rule: PolicyRule, namespace: string): Attributes[] {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const names = resourceNames.length > 0 ? resourceNames : [''];
  return verbs.flatMap((verb) => [
    ...nonResourceURLs.map((path): Attributes => ({ isResource: false, verb, path })),
    ...apiGroups.flatMap((apiGroup) =>
      resources.flatMap((whole) => {
        const [resource = '', subresource = ''] = whole.split('/');
        return names.map((name): Attributes => ({
          isResource: true,
          verb,
          group: apiGroup,
          resource,
          subresource,
          namespace,
          name,
        }));
      }),
    ),
  ]);
}
