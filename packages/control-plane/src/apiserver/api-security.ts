// Who is asking and whether they may, over what is stored: accounts and pods behind tokens, roles and bindings, and the
// pods of a node.
import type { Clock } from '@kedge/core/time';
import type {
  ClusterRole,
  ClusterRoleBinding,
  PersistentVolume,
  Pod,
  Role,
  RoleBinding,
  VolumeAttachment,
} from '@kedge/model/k8s-types';
import { type Authenticator, createAuthenticator } from './authn/authenticate.ts';
import type { TokenSigner } from './authn/tokens.ts';
import type { Authorizer } from './authz/attributes.ts';
import { joinAuthorizers } from './authz/gatekeeper.ts';
import { createNodeAuthorizer } from './authz/node-authorizer.ts';
import { createRbac, type Rbac } from './authz/rbac.ts';
import type { Collections } from './objects/collections.ts';

export interface Security {
  readonly tokens: TokenSigner;
  /** Who tokens are for unless a request says otherwise. */
  readonly audience: string;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly rbac: Rbac;
}

export function createSecurity(deps: {
  readonly clock: Clock;
  readonly collections: Collections;
  readonly tokens: TokenSigner;
  readonly audience: string;
}): Security {
  const { clock, collections, tokens, audience } = deps;
  const rbac = createRbac(() => ({
    roles: collections.all<Role>('roles.rbac.authorization.k8s.io'),
    clusterRoles: collections.all<ClusterRole>('clusterroles.rbac.authorization.k8s.io'),
    roleBindings: collections.all<RoleBinding>('rolebindings.rbac.authorization.k8s.io'),
    clusterRoleBindings: collections.all<ClusterRoleBinding>('clusterrolebindings.rbac.authorization.k8s.io'),
  }));
  const nodes = createNodeAuthorizer({
    get: (namespace, name) => collections.get('pods', namespace, name) as Pod | undefined,
    on: (node, namespace) => collections.where<Pod>('pods', namespace, `"nodeName":${JSON.stringify(node)}`),
    claimOf(volume) {
      const { claimRef } =
        (collections.get('persistentvolumes', '', volume) as PersistentVolume | undefined)?.spec ?? {};
      return claimRef?.name ? { namespace: claimRef.namespace ?? '', name: claimRef.name } : undefined;
    },
    attachedTo: (attachment) =>
      (collections.get('volumeattachments.storage.k8s.io', '', attachment) as VolumeAttachment | undefined)?.spec
        .nodeName,
  });
  const authenticator = createAuthenticator({
    clock,
    tokens,
    audience,
    read: (resource, namespace, name) => collections.get(resource, namespace, name),
  });
  return { tokens, audience, authenticator, authorizer: joinAuthorizers([nodes, rbac]), rbac };
}
