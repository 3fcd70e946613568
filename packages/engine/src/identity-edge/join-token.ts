// The token an edge joins with, `<hex sha256 of the CA in DER>.<jwt>`, as the edge reads it.
import { type Instant, instant } from '@kedge/core/time';
import { edgeIdentityErrors } from './edge-identity-errors.ts';

export interface JoinToken {
  /** SHA-256 of the cloud's CA certificate, lower-case hex. */
  readonly caHash: string;
  /** What is presented to the cloud. */
  readonly jwt: string;
  /** Undefined when the token does not say so. */
  readonly expires: Instant | undefined;
}

/** Throws EDGE_IDENTITY_BAD_TOKEN. Only the cloud can tell whether it is genuine. */
export function readJoinToken(text: string): JoinToken {
  const bad = (reason: string) => edgeIdentityErrors.BAD_TOKEN({ reason });
  const [caHash = '', ...jwt] = text.trim().split('.');
  if (jwt.length !== 3 || jwt.includes('')) throw bad('it does not have four parts');
  if (!/^[0-9a-f]{64}$/i.test(caHash)) throw bad('its first part is no SHA-256');
  return { caHash: caHash.toLowerCase(), jwt: jwt.join('.'), expires: expiryOf(jwt[1]!) };
}

function expiryOf(payload: string): Instant | undefined {
  try {
    const { exp } = JSON.parse(atob(payload.replaceAll('-', '+').replaceAll('_', '/'))) as { exp?: unknown };
    return typeof exp === 'number' ? instant(exp * 1_000) : undefined;
  } catch {
    return undefined;
  }
}
