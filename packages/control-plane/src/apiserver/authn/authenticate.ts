// Who asks: a client certificate, a service account token, or nobody.
import type { ServerRequest } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { ApiUser } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
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
    const claims = await tokens.verify(token, clock.now());
    if (!claims || !stillBound(claims, deps)) return undefined;
    const audiences = claims.audiences.filter((one) => asked.includes(one));
    return audiences.length > 0 ? { user: userOf(claims), audiences } : undefined;
  };

  return {
    review,
    async authenticate({ headers, peer }) {
      const bearer = /^Bearer +(\S+)$/i.exec(headers['authorization'] ?? '')?.[1];
      if (bearer !== undefined) {
        const known = await review(bearer, [audience]);
        if (!known) throw fail('Unauthorized', 'Unauthorized');
        return known.user;
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
      ...(node ? { 'authentication.kubernetes.io/node-name': [node.name] } : {}),
    },
  };
}

/** A token ends with the account it speaks for and with the object it was made for. */
function stillBound({ kubernetes }: TokenClaims, { read }: AuthenticateDeps): boolean {
  const { namespace, serviceaccount, pod, secret } = kubernetes;
  const isThere = (object: KubeObject | undefined, uid: string): boolean => object?.metadata.uid === uid;
  return (
    isThere(read('serviceaccounts', namespace, serviceaccount.name), serviceaccount.uid) &&
    (!pod || isThere(read('pods', namespace, pod.name), pod.uid)) &&
    (!secret || isThere(read('secrets', namespace, secret.name), secret.uid))
  );
}
