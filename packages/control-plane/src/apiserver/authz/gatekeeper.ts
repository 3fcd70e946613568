// Whether somebody may: superusers, nodes, then RBAC; and acting as somebody else, which is a permission of its own.
import type { ServerRequest } from '@kedge/core/ports';
import type { ApiUser, Gatekeeper } from '@kedge/engine/kube-api';
import { fail } from '@kedge/model/k8s';
import { anonymous, type Authenticator } from '../authn/authenticate.ts';
import { type Attributes, attributesOf, type Authorizer, refusal, selectedValue } from './attributes.ts';

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
      demand(authorizer, acting, withSelectedName(attributesOf(info), request));
      return acting;
    },
  };
}

/** A list or watch of one object by its name is a question about that object; the rest of the selector is told, too. */
function withSelectedName(asked: Attributes, { query }: ServerRequest): Attributes {
  if (!asked.isResource || !['list', 'watch', 'deletecollection'].includes(asked.verb)) return asked;
  const fieldSelector = query.get('fieldSelector');
  if (!fieldSelector) return asked;
  return { ...asked, fieldSelector, name: asked.name || (selectedValue(fieldSelector, 'metadata.name') ?? '') };
}

export interface Impersonation {
  readonly name: string;
  readonly groups: readonly string[];
  readonly uid?: string | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

/** The user to act as. Throws Forbidden when `user` may not. */
export const impersonate = (authorizer: Authorizer, user: ApiUser, as: Impersonation): ApiUser => {
  const [, namespace, account] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(as.name) ?? [];
  const ask = (
    group: string,
    resource: string,
    name: string,
    more: { subresource?: string; namespace?: string } = {},
  ) =>
    demand(authorizer, user, {
      isResource: true,
      verb: 'impersonate',
      group,
      resource,
      subresource: more.subresource ?? '',
      namespace: more.namespace ?? '',
      name,
    });
  const identity = 'authentication.k8s.io';
  if (account) ask('', 'serviceaccounts', account, { namespace: namespace! });
  else ask('', 'users', as.name);
  for (const name of as.groups) ask('', 'groups', name);
  for (const [key, values] of Object.entries(as.extra ?? {}))
    for (const value of values) ask(identity, 'userextras', value, { subresource: key });
  if (as.uid) ask(identity, 'uids', as.uid);
  const implied = account ? ['system:serviceaccounts', `system:serviceaccounts:${namespace}`] : [];
  const groups = as.groups.length > 0 ? as.groups : implied;
  const isNobody = as.name === anonymous.name || groups.includes(anonymous.groups[0]!);
  const everybody = isNobody ? anonymous.groups : ['system:authenticated'];
  return {
    name: as.name,
    groups: [...new Set([...groups, ...everybody])],
    ...(as.uid ? { uid: as.uid } : {}),
    ...(as.extra && Object.keys(as.extra).length > 0 ? { extra: as.extra } : {}),
  };
};

const extraPrefix = 'impersonate-extra-';
const listed = (text = ''): string[] =>
  text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean);

function impersonated(user: ApiUser, { headers }: ServerRequest, authorizer: Authorizer): ApiUser {
  const name = headers['impersonate-user'];
  const groups = listed(headers['impersonate-group']);
  const uid = headers['impersonate-uid'];
  const extra: Record<string, string[]> = {};
  for (const [header, value] of Object.entries(headers))
    if (header.startsWith(extraPrefix)) extra[unescaped(header.slice(extraPrefix.length))] = listed(value);
  if (name) return impersonate(authorizer, user, { name, groups, uid, extra });
  if (groups.length > 0 || uid || Object.keys(extra).length > 0) {
    const what = [
      groups.length > 0 ? 'groups' : '',
      uid ? 'uid' : '',
      Object.keys(extra).length > 0 ? 'user-extra' : '',
    ];
    throw fail('BadRequest', `requested ${what.filter(Boolean).join(' and ')} without impersonating a user`);
  }
  return user;
}

/** Keys may hold what a header's name cannot. */
function unescaped(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
