// Sends a JSON document to a webhook over HTTPS and reads the JSON answer. Whatever goes wrong, and a hook that hangs,
// ends within the given time as one sentence.
import { explain } from '@kedge/core/errors';
import type { HttpClient } from '@kedge/core/ports';
import { type Clock, type Duration, withTimeout } from '@kedge/core/time';
import type { WebhookClientConfig } from '@kedge/model/k8s-types';
import { findWebhook, type ReadObject } from './webhook-target.ts';

export type OpenHttpClient = (options: {
  readonly tls: {
    readonly ca?: string;
    readonly serverName?: string;
    readonly certificate?: string;
    readonly key?: string;
    readonly trustAnyServer?: boolean;
  };
}) => HttpClient;

export interface WebhookClientDeps {
  readonly clock: Clock;
  readonly openHttpClient: OpenHttpClient;
  readonly read: ReadObject;
}

export type WebhookAnswer =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly why: string };

export interface WebhookClient {
  post(config: WebhookClientConfig, body: string, timeout: Duration, signal: AbortSignal): Promise<WebhookAnswer>;
  close(): Promise<void>;
}

/** Each keeps a few connections open; with more hooks than this the ones not used for longest are opened anew. */
const maxClients = 32;
const maxAnswerBytes = 4 << 20;

export function createWebhookClient({ clock, openHttpClient, read }: WebhookClientDeps): WebhookClient {
  const clients = new Map<string, HttpClient>();

  function clientFor(ca: string, serverName: string | undefined): HttpClient {
    const key = `${serverName ?? ''}\n${ca}`;
    const known = clients.get(key);
    if (known) {
      clients.delete(key);
      clients.set(key, known);
      return known;
    }
    const tls = { ...(ca ? { ca } : {}), ...(serverName === undefined ? {} : { serverName }) };
    const client = openHttpClient({ tls });
    clients.set(key, client);
    const [oldest] = clients;
    if (clients.size > maxClients && oldest) {
      clients.delete(oldest[0]);
      void oldest[1].close();
    }
    return client;
  }

  async function ask(
    client: HttpClient,
    at: { connect: string; host: string },
    body: string,
    signal: AbortSignal,
  ): Promise<WebhookAnswer> {
    const response = await client.request({
      method: 'POST',
      url: at.connect,
      headers: { host: at.host, 'content-type': 'application/json', accept: 'application/json' },
      body,
      signal,
    });
    const text = await response.text(maxAnswerBytes);
    if (response.status < 200 || response.status > 299) {
      return { ok: false, why: `the server responded with HTTP ${response.status}: ${text.slice(0, 200).trim()}` };
    }
    try {
      return { ok: true, value: JSON.parse(text) };
    } catch (error) {
      return { ok: false, why: `the answer is not JSON: ${(error as Error).message}` };
    }
  }

  return {
    async post(config, body, timeout, signal) {
      const at = findWebhook(config, `timeout=${timeout / 1_000}s`, read);
      const failed = (why: string): WebhookAnswer => ({
        ok: false,
        why: `failed to call webhook: Post "${at.url}": ${why}`,
      });
      if (!at.ok) return failed(at.why);
      const stop = new AbortController();
      const onAbort = (): void => stop.abort(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        const client = clientFor(pemOf(config.caBundle), at.serverName);
        const answer = await withTimeout(
          clock,
          'a webhook to answer',
          timeout,
          ask(client, at, body, stop.signal),
          () => new Error('context deadline exceeded'),
        );
        return answer.ok ? answer : failed(answer.why);
      } catch (error) {
        if (signal.aborted) throw error;
        return failed(error instanceof Error ? error.message : explain(error));
      } finally {
        signal.removeEventListener('abort', onAbort);
        // Hangs up on a hook that is still thinking.
        stop.abort();
      }
    },
    async close() {
      for (const client of clients.values()) await client.close();
      clients.clear();
    },
  };
}

/** The bundle is base64 in the object. */
function pemOf(caBundle: string | undefined): string {
  if (!caBundle) return '';
  try {
    return atob(caBundle.replaceAll(/\s/g, ''));
  } catch {
    return '';
  }
}
