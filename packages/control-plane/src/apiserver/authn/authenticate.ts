// Who asks: a client certificate, a service account token, or nobody.
import type { ServerRequest } from '@kedge/core/ports';
import { type Clock, minus, parseTime, seconds } from '@kedge/core/time';
import type { ApiUser } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
import { bootstrapUser } from './bootstrap-tokens.ts';
import type { TokenClaims, TokenSigner } from './tokens.ts';

export const anonymous: ApiUser = { name: 'system:anonymous', groups: ['system:unauthenticated'] };
const authenticated = 'system:authenticated';

export interface AuthenticateDeps {
  readonly clock: Clock;
  readonly tokens: TokenSigner;
  readonly audience: string;
  /** An object a token may be bound to; undefined when there is none. */
  read(
    resource: 'serviceaccounts' | 'pods' | 'secrets' | 'nodes',
    namespace: string,
    name: string,
  ): KubeObject | undefined;
}

export interface Authenticator {
  /** Throws Unauthorized for credentials that are wrong. */
  authenticate(request: Pick<ServerRequest, 'headers' | 'peer'>): Promise<ApiUser>;
  /** The user of a token, for TokenReview; undefined when it is not valid for any of `audiences`. */
  review(
    token: string,
    audiences: readonly string[],
  ): Promise<{ user: ApiUser; audiences: readonly string[] } | undefined>;
}

export function createAuthenticator(deps: AuthenticateDeps): Authenticator {
  const { clock, tokens, audience } = deps;

  const review: Authenticator['review'] = async (token, asked) => {
    const joining = bootstrapUser(token, deps);
    if (joining) return asked.includes(audience) ? { user: joining, audiences: [audience] } : undefined;
    const claims = await tokens.verify(token, clock.now());
    if (!claims || !stillBound(claims, deps)) return undefined;
    const audiences = claims.audiences.filter((one) => asked.includes(one));
    return audiences.length > 0 ? { user: userOf(claims), audiences } : undefined;
  };

  return {
    review,
    async authenticate({ headers, peer }) {
      const bearer = /^Bearer +(\S+)$/i.exec(headers['authorization'] ?? '')?.[1];
      // A certificate speaks before a token, as upstream has it.
      if (!peer && bearer !== undefined) {
        const known = bootstrapUser(bearer, deps) ?? (await review(bearer, [audience]))?.user;
        if (!known) throw fail('Unauthorized', 'Unauthorized');
        return known;
      }
      if (!peer) return anonymous;
      return { name: peer.commonName, groups: [...peer.organizations, authenticated] };
    },
  };
}

function userOf({ subject, kubernetes, id }: TokenClaims): ApiUser {
  const { namespace, serviceaccount, pod, node } = kubernetes;
  return {
    name: subject,
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, authenticated],
    extra: {
      ...(id ? { 'authentication.kubernetes.io/credential-id': [`JTI=${id}`] } : {}),
      ...(pod
        ? { 'authentication.kubernetes.io/pod-name': [pod.name], 'authentication.kubernetes.io/pod-uid': [pod.uid] }
        : {}),
      ...(node
        ? {
            'authentication.kubernetes.io/node-name': [node.name],
            ...(node.uid ? { 'authentication.kubernetes.io/node-uid': [node.uid] } : {}),
          }
        : {}),
    },
  };
}

/** After this long a deleted object's tokens end even where something still holds the object back. */
const leeway = seconds(60);

/** A token ends with the account it speaks for and with the object it was made for. */
function stillBound({ kubernetes }: TokenClaims, { read, clock }: AuthenticateDeps): boolean {
  const { namespace, serviceaccount, pod, secret, node } = kubernetes;
  const isThere = (object: KubeObject | undefined, uid: string): boolean => {
    if (object?.metadata.uid !== uid) return false;
    const deleted = object.metadata.deletionTimestamp;
    return deleted === undefined || (parseTime(deleted) ?? 0) > minus(clock.now(), leeway);
  };
  return (
    isThere(read('serviceaccounts', namespace, serviceaccount.name), serviceaccount.uid) &&
    (!pod || isThere(read('pods', namespace, pod.name), pod.uid)) &&
    (!secret || isThere(read('secrets', namespace, secret.name), secret.uid)) &&
    // With a pod the node is only told of.
    (!node || !!pod || isThere(read('nodes', '', node.name), node.uid))
  );
}
