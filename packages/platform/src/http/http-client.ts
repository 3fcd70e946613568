// The HTTP client over node:http and node:https with connections kept open. No fetch: it costs the edge 17 MB.
import * as http from 'node:http';
import * as https from 'node:https';
import { X509Certificate } from 'node:crypto';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import {
  type ExpectedServer,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  httpErrors,
} from '@kedge/core/ports';
import { type Duration, seconds } from '@kedge/core/time';
import { abortError } from '@kedge/core/flow';
import { defaultBodyLimit, plainHeaders, readWhole } from './http-body.ts';
import { connectionError } from '../node/connection-error.ts';
import { subjectOf } from '../node/subject-names.ts';

export interface HttpClientOptions {
  readonly tls?: {
    /** PEM of the CAs that servers must chain to; the system's when absent. */
    readonly ca?: string;
    /** Our client certificate and its key, PEM. */
    readonly certificate?: string;
    readonly key?: string;
    /** Accepts any server certificate. Only for fetching a CA whose hash is known. */
    readonly trustAnyServer?: boolean;
    /** The name that the certificate must be for, when it is not the URL's host. */
    readonly serverName?: string;
  };
  readonly timeouts?: {
    /** Until the connection, TLS included, stands; 10 s when absent. */
    readonly connect?: Duration;
    /** From then to the head of the answer; 60 s when absent. Bodies may take for ever. */
    readonly answer?: Duration;
  };
  /** Talks to this unix socket instead of the URL's host. */
  readonly socketPath?: string;
  /** Connections per host at most; 64 when absent. Watches hold one each. */
  readonly maxConnections?: number;
  /** Of those that nobody uses, how many stay open until the server closes them; 8 when absent. */
  readonly keptConnections?: number;
}

export function createClient(options: HttpClientOptions = {}): HttpClient {
  const { tls = {}, timeouts = {}, maxConnections = 64, keptConnections = 8 } = options;
  const keepOpen = {
    keepAlive: true,
    maxSockets: maxConnections,
    maxFreeSockets: keptConnections,
    timeout: 0,
    scheduling: 'lifo' as const,
  };
  const plainAgent = new http.Agent(keepOpen);
  const secureAgent = new SecureAgent({
    ...keepOpen,
    minVersion: 'TLSv1.2',
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    rejectUnauthorized: !tls.trustAnyServer,
  });
  const limits = { connect: timeouts.connect ?? seconds(10), answer: timeouts.answer ?? seconds(60) };
  let closed = false;

  async function request(asked: HttpRequest): Promise<HttpResponse> {
    if (closed) throw httpErrors.CLOSED({ what: 'the HTTP client' });
    const url = readUrl(asked.url);
    const secure = url.protocol === 'https:';
    const settings: https.RequestOptions = {
      method: asked.method,
      headers: { ...lengthOf(asked.body), ...asked.headers },
      agent: secure ? secureAgent : plainAgent,
      ...(secure && asked.server ? expecting(asked.server) : {}),
      ...(options.socketPath === undefined ? {} : { socketPath: options.socketPath }),
    };
    const send = () => exchange(open(secure ? https : http, url, settings), asked, limits);
    try {
      return toResponse(asked, await send());
    } catch (error) {
      // The server may have closed an idle connection just as we used it; what only reads may be asked again.
      if (!(error instanceof StaleConnection)) throw error;
      if (asked.method !== 'GET' && asked.method !== 'HEAD') throw error.failure;
      try {
        return toResponse(asked, await send());
      } catch (again) {
        throw again instanceof StaleConnection ? again.failure : again;
      }
    }
  }

  return {
    request,
    close() {
      closed = true;
      plainAgent.destroy();
      secureAgent.destroy();
      return Promise.resolve();
    },
  };
}

type Expecting = { readonly expectedServer?: string };

/** Keeps connections and sessions apart by who had to answer. */
class SecureAgent extends https.Agent {
  override getName(options?: https.RequestOptions & Expecting): string {
    return `${super.getName(options)}:${options?.expectedServer ?? ''}`;
  }
}

function expecting(server: ExpectedServer): https.RequestOptions & Expecting {
  return {
    expectedServer: server.name,
    checkServerIdentity(host: string, shown: PeerCertificate) {
      const isForHost = checkServerIdentity(host, shown) === undefined;
      const why = server.refuse(subjectOf(new X509Certificate(shown.raw)), isForHost);
      return why === undefined ? undefined : Object.assign(new Error(why), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    },
  } as https.RequestOptions & Expecting;
}

/** Node leaves it out with GET and DELETE, and the server would take the body for the next request. */
const lengthOf = (body: string | Uint8Array | undefined): Record<string, string> =>
  body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw httpErrors.BAD_URL({ url: text });
  return url;
}

/** Throws when the certificate or the key cannot be read. */
function open(
  { request }: { request: typeof https.request },
  url: URL,
  settings: https.RequestOptions,
): http.ClientRequest {
  try {
    return request(url, settings);
  } catch (error) {
    throw connectionError(url.href, error as NodeJS.ErrnoException, false);
  }
}

/** A reused connection that was gone when the request was written to it. */
class StaleConnection extends Error {
  readonly failure: Error;
  constructor(failure: Error) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Sends the request and waits for the head of the answer. The signal stays connected until the body has ended. */
function exchange(
  outgoing: http.ClientRequest,
  asked: HttpRequest,
  limits: { readonly connect: Duration; readonly answer: Duration },
): Promise<http.IncomingMessage> {
  const { url, signal } = asked;
  return new Promise((resolve, reject) => {
    let connected = false;
    let timer: NodeJS.Timeout | undefined;
    const expect = (what: string, limit: Duration): void => {
      clearTimeout(timer);
      timer = setTimeout(() => outgoing.destroy(httpErrors.TIMEOUT({ url, waitedFor: what, ms: limit })), limit);
    };
    const onAbort = (): void => void outgoing.destroy(abortError(signal!));

    expect('connection', limits.connect);
    outgoing.once('socket', (socket) => {
      const onConnected = (): void => {
        connected = true;
        expect('answer', limits.answer);
      };
      if (!socket.connecting) onConnected();
      else socket.once('encrypted' in socket ? 'secureConnect' : 'connect', onConnected);
    });
    outgoing.once('response', (incoming) => {
      clearTimeout(timer);
      // Nobody reads a body that is not there, and without reading the connection is never free again.
      if (!hasBody(asked.method, incoming)) incoming.resume();
      resolve(incoming);
    });
    outgoing.once('error', (error) => {
      clearTimeout(timer);
      if (signal?.aborted) return reject(abortError(signal));
      const failure = connectionError(url, error, connected);
      reject(connected && outgoing.reusedSocket && isReset(error) ? new StaleConnection(failure) : failure);
    });
    outgoing.once('close', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    });
    if (signal?.aborted) return onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    outgoing.end(asked.body);
  });
}

const hasBody = (method: string, { statusCode, headers }: http.IncomingMessage): boolean =>
  method !== 'HEAD' && statusCode !== 204 && statusCode !== 304 && headers['content-length'] !== '0';

const isReset = (error: NodeJS.ErrnoException): boolean => error.code === 'ECONNRESET' || error.code === 'EPIPE';

function toResponse({ url, signal }: HttpRequest, incoming: http.IncomingMessage): HttpResponse {
  const toError = (error: unknown): unknown =>
    signal?.aborted ? abortError(signal) : connectionError(url, error as NodeJS.ErrnoException, true);
  const bytes = (limit = defaultBodyLimit) =>
    readWhole(incoming, limit, incoming.headers['content-length'], toError).catch((error: unknown) => {
      incoming.destroy();
      throw error;
    });
  return {
    status: incoming.statusCode ?? 0,
    headers: plainHeaders(incoming.headers),
    bytes,
    text: async (limit) => (await bytes(limit)).toString('utf8'),
    async *chunks() {
      try {
        yield* incoming as AsyncIterable<Uint8Array>;
      } catch (error) {
        throw toError(error);
      } finally {
        // A body that was not read to its end cannot give its connection back.
        if (!incoming.complete) incoming.destroy();
      }
    },
  };
}
