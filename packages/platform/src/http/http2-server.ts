// Servers of HTTP/2 for clients that ask for it, and of HTTP/1.1 for others, on node:http2. They accept connections themselves.
import type { Server as HttpServer } from 'node:http';
import { createSecureServer, type Http2SecureServer, type ServerHttp2Session } from 'node:http2';
import type { TlsOptions } from 'node:tls';
import type { Log } from '@kedge/core/log';
import type { Duration } from '@kedge/core/time';
import { createExchanges } from './http-exchange.ts';
import { type HttpServerLimits, serverSettings } from './server-limits.ts';
import type { Served } from './speaker.ts';

/** Requests that one client may have open on one connection; a Go client then opens another. */
const streamsPerConnection = 250;

/** `stop`: tells requests in work to end, and closes connections without any. */
export function createHttp2Server(
  { handler }: Served,
  secure: TlsOptions,
  log: Log,
  limits: HttpServerLimits,
): { readonly server: Http2SecureServer; stop(): void } {
  const settings = serverSettings(limits);
  const server = createSecureServer({
    ...settings,
    ...secure,
    allowHTTP1: true,
    settings: { maxConcurrentStreams: streamsPerConnection, maxHeaderListSize: settings.maxHeaderSize },
  });
  // For clients that stay with HTTP/1.1; the option of the same name does not reach them.
  Object.assign(server, { headersTimeout: limits.head, requestTimeout: limits.request });
  const exchanges = createExchanges({ handler, log, stall: limits.stall });
  server.on('request', exchanges.serve as (...args: unknown[]) => void);
  const sessions = followSessions(server, limits.idle);
  return {
    server,
    stop() {
      exchanges.stop();
      if ('closeIdleConnections' in server) (server as unknown as HttpServer).closeIdleConnections();
      sessions.close();
    },
  };
}

/** Connections of HTTP/2: those without requests go after a while, all are told when the server ends. */
function followSessions(server: Http2SecureServer, idle: Duration): { close(): void } {
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    let open = 0;
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('stream', (stream) => {
      open += 1;
      stream.once('close', () => (open -= 1));
    });
    session.setTimeout(idle, () => {
      if (open === 0) session.close();
    });
  });
  return { close: () => sessions.forEach((session) => session.close()) };
}
