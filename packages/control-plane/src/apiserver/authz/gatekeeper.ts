// Whether somebody may: superusers, nodes, then RBAC; and acting as somebody else, which is a permission of its own.
import type { ServerRequest } from '@kedge/core/ports';
import type { ApiUser, Gatekeeper } from '@kedge/engine/kube-api';
import { fail } from '@kedge/model/k8s';
import type { Authenticator } from '../authn/authenticate.ts';
import { type Attributes, attributesOf, type Authorizer, refusal } from './attributes.ts';

const superusers = 'system:masters';

/** The first that allows wins. */
export const joinAuthorizers = (authorizers: readonly Authorizer[]): Authorizer => ({
  decide(user, attributes) {
    if (user.groups.includes(superusers)) return { allowed: true, reason: `member of ${superusers}` };
    for (const authorizer of authorizers) {
      const decision = authorizer.decide(user, attributes);
      if (decision.allowed) return decision;
    }
    return { allowed: false, reason: '' };
  },
});

/** Throws Forbidden. */
export function demand(authorizer: Authorizer, user: ApiUser, attributes: Attributes): void {
  if (authorizer.decide(user, attributes).allowed) return;
  const sentence = refusal(user, attributes);
  if (!attributes.isResource) throw fail('Forbidden', `forbidden: ${sentence}`, {});
  const { group, resource, name } = attributes;
  const what = `${group ? `${resource}.${group}` : resource}${name ? ` "${name}"` : ''}`;
  throw fail('Forbidden', `${what} is forbidden: ${sentence}`, {
    ...(name ? { name } : {}),
    ...(group ? { group } : {}),
    kind: resource,
  });
}

export function createGatekeeper(authenticator: Authenticator, authorizer: Authorizer): Gatekeeper {
  return {
    authenticate: (request) => authenticator.authenticate(request),
    async admit(user, info, request) {
      const acting = impersonated(user, request, authorizer);
      demand(authorizer, acting, attributesOf(info));
      return acting;
    },
  };
}

export const impersonate = (
  authorizer: Authorizer,
  user: ApiUser,
  as: { name: string; groups: readonly string[] },
): ApiUser => {
  const verb = 'impersonate';
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(as.name) ?? [];
  const target = account
    ? { group: '', resource: 'serviceaccounts', namespace: namespace!, name: account }
    : { group: '', resource: 'users', namespace: '', name: as.name };
  demand(authorizer, user, { isResource: true, verb, subresource: '', ...target });
  for (const name of as.groups) {
    demand(authorizer, user, {
      isResource: true,
      verb,
      subresource: '',
      group: '',
      resource: 'groups',
      namespace: '',
      name,
    });
  }
  const implied = account ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] : [];
  const groups = as.groups.length > 0 ? as.groups : implied;
  return { name: as.name, groups: [...new Set([...groups, 'system:authenticated'])] };
};

function impersonated(user: ApiUser, { headers }: ServerRequest, authorizer: Authorizer): ApiUser {
  const name = headers['impersonate-user'];
  const groups = (headers['impersonate-group'] ?? '')
    .split(',')
    .map((group) => group.trim())
    .filter(Boolean);
  if (name === undefined) {
    if (groups.length > 0) throw fail('BadRequest', 'requested groups without impersonating a user');
    return user;
  }
  return impersonate(authorizer, user, { name, groups });
}
