// The token an edge joins with: the hash of the CA, so that the edge knows whom it talks to, and a JWT signed with the
// CA's key, so that the cloud knows whom it invited. Text form of KubeEdge: `<hex sha256 of CA DER>.<jwt>`.
import type { Keys } from '@kedge/core/ports';
import { type Instant, instant } from '@kedge/core/time';
import { decodeBase64Url, encodeBase64Url } from './base64.ts';
import { identityErrors } from './identity-errors.ts';

/** No JWT of ours is longer than a few hundred characters. */
const maxLength = 8_192;

const toHex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');

/** `key`: the bytes of the CA's private key, SEC1 DER. */
export function createJoinToken(
  keys: Keys,
  ca: { certificate: Uint8Array; key: Uint8Array },
  expires: Instant,
): string {
  const text = new TextEncoder();
  const header = encodeBase64Url(text.encode('{"alg":"HS256","typ":"JWT"}'));
  const payload = encodeBase64Url(text.encode(JSON.stringify({ exp: Math.floor(expires / 1_000) })));
  const signature = encodeBase64Url(keys.hmacSha256(ca.key, `${header}.${payload}`));
  return `${toHex(keys.sha256(ca.certificate))}.${header}.${payload}.${signature}`;
}

/** Checks the JWT of a token, which is all that an edge presents; throws IDENTITY_BAD_TOKEN. */
export function checkJoinToken(keys: Keys, key: Uint8Array, jwt: string, now: Instant): void {
  const bad = (reason: string) => identityErrors.BAD_TOKEN({ reason });
  const parts = jwt.length <= maxLength ? jwt.split('.') : [];
  const [header, payload, signature] = parts;
  if (parts.length !== 3 || !header || !payload || !signature) throw bad('it does not have three parts');
  const given = decodeBase64Url(signature);
  // The signature first: what nobody of ours has signed is not worth reading.
  if (!given || !keys.equal(given, keys.hmacSha256(key, `${header}.${payload}`))) throw bad('its signature is wrong');
  if (readJson(header)?.['alg'] !== 'HS256') throw bad('it is not signed by HS256');
  const expires = readJson(payload)?.['exp'];
  if (typeof expires !== 'number') throw bad('it does not say when it ends');
  if (instant(expires * 1_000) <= now) throw bad('it has expired');
}

/** When a whole token ends; undefined when it is none. */
export function expiryOf(token: string): Instant | undefined {
  const expires = readJson(token.split('.')[2] ?? '')?.['exp'];
  return typeof expires === 'number' ? instant(expires * 1_000) : undefined;
}

function readJson(part: string): Record<string, unknown> | undefined {
  const bytes = decodeBase64Url(part);
  if (!bytes) return undefined;
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
