// Service account tokens for pods, cached on disk: a pod that starts while the cloud is away gets the last one.
import type { Database } from '@kedge/core/ports';
import { type Clock, type Instant, instant, parseTime } from '@kedge/core/time';
import { failure, type KubeObject } from '@kedge/model/k8s';
import type { Outcome } from '@kedge/model/messages';
import { type Asks, isUnreachable } from './asks.ts';

export interface TokenRequest {
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly pod: { readonly name: string; readonly uid: string };
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAt: Instant;
}

export interface Tokens {
  /**
   * A cached token while less than four fifths of its life are over, else a new one. While the cloud cannot be asked the
   * old one is handed out, expired or not: what it opens is across the same link, and a pod must not fail to start for it.
   */
  request(request: TokenRequest, signal: AbortSignal): Promise<Outcome<IssuedToken>>;
  /** Call inside a transaction. */
  forgetPod(uid: string): void;
}

interface Row {
  readonly token: string;
  readonly issued: number;
  readonly expires: number;
}

export interface TokensDeps {
  readonly db: Database;
  readonly clock: Clock;
  readonly asks: Pick<Asks, 'ask'>;
}

const refreshAfter = 0.8;

export function createTokens({ db, clock, asks }: TokensDeps): Tokens {
  const select = db.statement<Row>('SELECT token, issued, expires FROM token WHERE key = ?');
  const replace = db.statement(
    'INSERT OR REPLACE INTO token (key, pod_uid, token, issued, expires) VALUES (?, ?, ?, ?, ?)',
  );
  const removePod = db.statement('DELETE FROM token WHERE pod_uid = ?');

  return {
    async request(request, signal) {
      const key = keyOf(request);
      const cached = select.get(key);
      const issued = cached && { token: cached.token, expiresAt: instant(cached.expires) };
      if (cached && issued && clock.now() < cached.issued + (cached.expires - cached.issued) * refreshAfter) {
        return { ok: true, value: issued };
      }
      const answer = await asks.ask(
        {
          kind: 'token.request',
          namespace: request.namespace,
          serviceAccount: request.serviceAccount,
          request: toTokenRequest(request),
        },
        signal,
      );
      if (!answer.ok) return issued && isUnreachable(answer.status) ? { ok: true, value: issued } : answer;
      const fresh = readToken(answer.value);
      if (!fresh)
        return { ok: false, status: failure('InternalError', 'the cloud answered a token request without a token') };
      await db.write(() => replace.run(key, request.pod.uid, fresh.token, clock.now(), fresh.expiresAt));
      return { ok: true, value: fresh };
    },
    forgetPod: (uid) => void removePod.run(uid),
  };
}

const keyOf = ({ namespace, serviceAccount, pod, audiences, expirationSeconds }: TokenRequest): string =>
  JSON.stringify([namespace, serviceAccount, pod.uid, [...audiences].sort(), expirationSeconds]);

const toTokenRequest = ({ pod, audiences, expirationSeconds }: TokenRequest): KubeObject => ({
  metadata: {},
  spec: {
    audiences: audiences.length > 0 ? audiences : null,
    expirationSeconds,
    boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: pod.name, uid: pod.uid },
  },
  status: { token: '', expirationTimestamp: null },
});

function readToken(object: KubeObject | undefined): IssuedToken | undefined {
  const { token, expirationTimestamp } = (object?.['status'] ?? {}) as { token?: string; expirationTimestamp?: string };
  const expiresAt = parseTime(expirationTimestamp);
  return token && expiresAt !== undefined ? { token, expiresAt } : undefined;
}
