// How others check service account tokens without asking this server about each: the OpenID Connect discovery document of
// the issuer, and its public keys. Who may read them is a role, `system:service-account-issuer-discovery`.
import type { KubeApiPaths } from '@kedge/engine/kube-api';
import type { PublicTokenKey } from './tokens.ts';

/** As long as kube-apiserver lets clients keep them. */
const cached = { 'cache-control': 'public, max-age=3600' };

export function issuerDiscovery(issuer: {
  readonly url: string;
  readonly keys: readonly PublicTokenKey[];
  /** Where this server is reached, `host:port`; asked for each answer, since a port may be picked at the start. */
  address(): string;
}): KubeApiPaths {
  return {
    '/.well-known/openid-configuration': (_request, answer) =>
      answer.json(
        200,
        JSON.stringify({
          issuer: issuer.url,
          jwks_uri: `https://${issuer.address()}/openid/v1/jwks`,
          response_types_supported: ['id_token'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: [...new Set(issuer.keys.map(({ alg }) => alg))],
        }),
        cached,
      ),
    '/openid/v1/jwks': (_request, answer) =>
      answer.json(200, JSON.stringify({ keys: issuer.keys }), {
        ...cached,
        'content-type': 'application/jwk-set+json',
      }),
  };
}
