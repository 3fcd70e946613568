// One call to an API server: credentials, impersonation, rate limit, time limit, and another try when the server
// asks for it (429 or 503 with Retry-After).
import { createRateLimit, type RateLimit } from '@kedge/core/flow';
import type { Secret } from '@kedge/core/log';
import type { HttpClient, HttpResponse } from '@kedge/core/ports';
import { type Clock, type Duration, seconds, withTimeout } from '@kedge/core/time';
import type { CallOptions } from './kube-api.ts';
import { kubeClientErrors } from './kube-client-errors.ts';
import { failureOf } from './status-answers.ts';

/** How the client proves who it is. */
export type Credentials =
  /** By the certificate of the HTTP client, or not at all. */
  | { readonly by: 'connection' }
  /** Asked before every call, so that a rotated token is picked up. */
  | { readonly by: 'token'; readonly token: () => Secret<string> | Promise<Secret<string>> };

export interface ApiCallsOptions {
  readonly http: HttpClient;
  /** Base URL: `https://10.0.0.1:6443`; a path is kept. */
  readonly server: string;
  readonly credentials: Credentials;
  readonly userAgent: string;
  readonly clock: Clock;
  readonly limit?: RateLimit;
  /** For a whole call except a watch. */
  readonly timeout?: Duration;
}

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Path and query. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
}

export interface ApiCalls {
  /** The answer with its whole body; a status of 400 or more is thrown as a StatusError unless `raw`. */
  send(call: ApiCall, options?: CallOptions, raw?: 'raw'): Promise<{ readonly status: number; readonly body: string }>;
  /** An answer whose body is still coming; it ends with `signal`. */
  open(call: ApiCall, signal: AbortSignal): Promise<HttpResponse>;
}

const defaultLimit: RateLimit = { perSecond: 100, burst: 200 };
const defaultTimeout = seconds(34);
const maxTries = 8;
const longestRetryAfter = 30;
const bodyLimit = 256 * 1024 * 1024;
const errorBodyLimit = 64 * 1024;
const never = new AbortController().signal;

export function createApiCalls(options: ApiCallsOptions): ApiCalls {
  const { http, credentials, userAgent, clock, timeout = defaultTimeout } = options;
  const server = options.server.replace(/\/+$/, '');
  const turn = createRateLimit(clock, 'turn for an API call', options.limit ?? defaultLimit);

  async function request(call: ApiCall, signal: AbortSignal, asUser: CallOptions['asUser']): Promise<HttpResponse> {
    const headers: Record<string, string | string[]> = { accept: 'application/json', 'user-agent': userAgent };
    if (call.body !== undefined) headers['content-type'] = call.contentType ?? 'application/json';
    if (credentials.by === 'token') headers['authorization'] = `Bearer ${(await credentials.token()).reveal()}`;
    if (asUser) {
      headers['impersonate-user'] = asUser.name;
      if (asUser.groups.length > 0) headers['impersonate-group'] = [...asUser.groups];
    }
    const body = call.body === undefined ? {} : { body: call.body };
    return http.request({ method: call.method, url: server + call.path, headers, signal, ...body });
  }

  /** Runs `work` with a signal that also aborts when time is up. */
  async function inTime<T>(call: ApiCall, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal.reason);
    if (signal.aborted) onAbort();
    // By hand: `AbortSignal.any` costs several times as much, and this is done for every call.
    else signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await limited(call, work(stop.signal));
    } catch (error) {
      stop.abort(error);
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** As `inTime`, of `work` that opens something: in time, it lives on until `signal` aborts. */
  async function openInTime<T>(
    call: ApiCall,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const stop = new AbortController();
    try {
      return await limited(call, work(AbortSignal.any([signal, stop.signal])));
    } catch (error) {
      stop.abort(error);
      throw error;
    }
  }

  function limited<T>(call: ApiCall, work: Promise<T>): Promise<T> {
    const path = call.path.split('?', 1)[0]!;
    const onTimeout = () => kubeClientErrors.TIMEOUT({ method: call.method, path, seconds: timeout / 1_000 });
    return withTimeout(clock, `answer to ${call.method} ${path}`, timeout, work, onTimeout);
  }

  return {
    async send(call, { signal = never, asUser } = {}, raw) {
      for (let tries = 1; ; tries++) {
        await turn(signal);
        const answer = await inTime(call, signal, async (both) => {
          const response = await request(call, both, asUser);
          return { status: response.status, wait: retryAfter(response), body: await response.text(bodyLimit) };
        });
        if (answer.wait !== undefined && tries < maxTries) {
          await clock.sleep('API server to take calls again', answer.wait, signal);
          continue;
        }
        if (answer.status >= 400 && !raw) throw failureOf(answer.status, answer.body);
        return { status: answer.status, body: answer.body };
      }
    },
    async open(call, signal) {
      await turn(signal);
      const response = await openInTime(call, signal, (both) => request(call, both, undefined));
      if (response.status < 400) return response;
      throw failureOf(response.status, await response.text(errorBodyLimit));
    },
  };
}

/** How long the server wants to be left alone; undefined when it does not ask for another try. */
function retryAfter({ status, headers }: HttpResponse): Duration | undefined {
  if (status !== 429 && status !== 503) return undefined;
  const asked = headers['retry-after'];
  if (asked === undefined || !/^\d+$/.test(asked)) return undefined;
  return seconds(Math.min(Number(asked), longestRetryAfter));
}
