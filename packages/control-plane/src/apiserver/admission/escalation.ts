// Nobody hands out more than they have: whoever writes a role must hold its rules, and whoever binds one must too, unless
// the verbs `escalate` and `bind` say otherwise.
import type { ApiUser } from '@kedge/engine/kube-api';
import { fail } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { PolicyRule, RoleRef } from '@kedge/model/k8s-types';
import type { Attributes, Authorizer } from '../authz/attributes.ts';
import type { AdmissionRequest, AdmissionStep } from './admission.ts';

const group = 'rbac.authorization.k8s.io';

export interface EscalationDeps {
  readonly authorizer: Authorizer;
  rulesOf(ref: RoleRef, namespace: string): readonly PolicyRule[];
}

export const noEscalation = ({ authorizer, rulesOf }: EscalationDeps): AdmissionStep => {
  const may = (user: ApiUser, verb: string, resource: string, namespace: string, name: string): boolean =>
    authorizer.decide(user, { isResource: true, verb, group, resource, subresource: '', namespace, name }).allowed;

  function demandHeld(request: AdmissionRequest, rules: readonly PolicyRule[]): void {
    const { user, kind, name, namespace = '' } = request;
    const missing = rules
      .flatMap((rule) => atoms(rule, namespace))
      .find((atom) => !authorizer.decide(user, atom).allowed);
    if (!missing) return;
    const what = missing.isResource
      ? `{APIGroups:["${missing.group}"], Resources:["${missing.resource}"], Verbs:["${missing.verb}"]}`
      : `{NonResourceURLs:["${missing.path}"], Verbs:["${missing.verb}"]}`;
    throw fail(
      'Forbidden',
      `${kind.served.resource}.${group} "${name}" is forbidden: user "${user.name}" (groups=${JSON.stringify(user.groups)}) is attempting to grant RBAC permissions not currently held: ${what}`,
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
      const all: PolicyRule[] = object['aggregationRule'] ? [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] : [];
      demandHeld(request, [...((object['rules'] as PolicyRule[] | undefined) ?? []), ...all]);
      return;
    }
    const ref = object['roleRef'] as RoleRef | undefined;
    if (!ref || (before && jsonEqual(before['subjects'], object['subjects']))) return;
    if (may(user, 'bind', ref.kind === 'ClusterRole' ? 'clusterroles' : 'roles', namespace, ref.name)) return;
    demandHeld(request, rulesOf(ref, namespace));
  }
};

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
