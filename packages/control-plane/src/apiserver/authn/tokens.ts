// Service account tokens: JSON web tokens signed with the cluster's own key (ES256).
import {
  calculateJwkThumbprint,
  decodeJwt,
  exportJWK,
  exportPKCS8,
  exportSPKI,
  generateKeyPair,
  importPKCS8,
  importSPKI,
  jwtVerify,
  SignJWT,
  errors,
} from 'jose';
import type { Instant } from '@kedge/core/time';

const algorithm = 'ES256';

export interface TokenClaims {
  readonly subject: string;
  readonly audiences: readonly string[];
  readonly issuedAt: number;
  /** Seconds since the epoch, as everywhere in tokens. */
  readonly expiresAt: number;
  readonly id?: string | undefined;
  readonly kubernetes: BoundTo;
}

export interface BoundTo {
  readonly namespace: string;
  readonly serviceaccount: { readonly name: string; readonly uid: string };
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly secret?: { readonly name: string; readonly uid: string };
  readonly node?: { readonly name: string; readonly uid: string };
}

export interface TokenSigner {
  sign(claims: TokenClaims): Promise<string>;
  /** Undefined when the token is not ours, was changed, or is out of its time. */
  verify(token: string, now: Instant): Promise<TokenClaims | undefined>;
  /** What others need to check tokens themselves: the public key, as a member of a JSON web key set. */
  readonly publicKey: PublicTokenKey;
}

export type PublicTokenKey = Readonly<Record<string, unknown>> & { readonly alg: string; readonly kid: string };

/** A new signing key, as PEM texts. */
export async function createTokenKey(): Promise<{ privateKey: string; publicKey: string }> {
  const pair = await generateKeyPair(algorithm, { extractable: true });
  return { privateKey: await exportPKCS8(pair.privateKey), publicKey: await exportSPKI(pair.publicKey) };
}

export async function openTokenSigner(
  keys: { privateKey: string; publicKey: string },
  issuer: string,
): Promise<TokenSigner> {
  const privateKey = await importPKCS8(keys.privateKey, algorithm);
  const publicKey = await importSPKI(keys.publicKey, algorithm, { extractable: true });
  const { kty = '', crv = '', x = '', y = '' } = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint({ kty, crv, x, y });
  return {
    publicKey: { use: 'sig', kty, kid, crv, alg: algorithm, x, y },
    sign: (claims) =>
      new SignJWT({ 'kubernetes.io': claims.kubernetes })
        .setProtectedHeader({ alg: algorithm, kid })
        .setIssuer(issuer)
        .setSubject(claims.subject)
        .setAudience([...claims.audiences])
        .setIssuedAt(claims.issuedAt)
        .setNotBefore(claims.issuedAt)
        .setExpirationTime(claims.expiresAt)
        .setJti(claims.id ?? '')
        .sign(privateKey),
    async verify(token, now) {
      try {
        // Signed before a clock was set back it is of the future, and as good: the signature says that it was given out.
        const at = Math.max(now, (decodeJwt(token).nbf ?? 0) * 1_000);
        const { payload } = await jwtVerify(token, publicKey, {
          issuer,
          currentDate: new Date(at),
          algorithms: [algorithm],
        });
        const kubernetes = payload['kubernetes.io'] as BoundTo | undefined;
        if (!payload.sub || !kubernetes?.serviceaccount) return undefined;
        return {
          subject: payload.sub,
          audiences: [payload.aud ?? []].flat(),
          issuedAt: payload.iat ?? 0,
          expiresAt: payload.exp ?? 0,
          id: payload.jti,
          kubernetes,
        };
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}
