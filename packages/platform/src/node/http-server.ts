// HTTP servers over node:http, node:https and node:http2: requests to a handler, upgrades to WebSockets, and an end to both.
// Clients that are slow to send or to read are cut off, so that they hold nothing for long.
import { chmod } from 'node:fs/promises';
import * as http from 'node:http';
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2';
import * as https from 'node:https';
import type { Socket as TcpSocket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Log } from '@kedge/core/log';
import { httpErrors, type HttpServers, type Listening, type ListenOptions, type TlsFiles } from '@kedge/core/ports';
import { type Duration, seconds } from '@kedge/core/time';
import { clearSocketFile, listenPrivately } from './socket-file.ts';
import { createExchanges } from './http-exchange.ts';
import { createUpgrades } from './http-upgrade.ts';

export interface HttpServersOptions {
  readonly log: Log;
  readonly limits?: Partial<HttpServerLimits>;
}

export interface HttpServerLimits {
  /** To finish the TLS handshake, and then again to send the head of a request. */
  readonly head: Duration;
  /** To send a whole request. */
  readonly request: Duration;
  /** Without progress while an answer waits to be read. */
  readonly stall: Duration;
  /** Between requests on one connection. */
  readonly idle: Duration;
  /** How long requests in work may take to end when the server stops. */
  readonly stop: Duration;
}

const defaultLimits: HttpServerLimits = {
  head: seconds(10),
  request: seconds(120),
  stall: seconds(60),
  idle: seconds(90),
  stop: seconds(1),
};

export function createHttpServers({ log, limits }: HttpServersOptions): HttpServers {
  return { listen: (options) => listen(options, log, { ...defaultLimits, ...limits }) };
}

async function listen(options: ListenOptions, log: Log, limits: HttpServerLimits): Promise<Listening> {
  const server = createServer(options, limits);
  const connections = new Set<TcpSocket>();
  server.on('connection', (connection: TcpSocket) => {
    connections.add(connection);
    // node:http2 leaves this out for clients that stay with HTTP/1.1: each piece of an answer, and each event of a watch,
    // would wait for the client to acknowledge the one before, for up to 40 ms.
    connection.setNoDelay(true);
    connection.once('close', () => connections.delete(connection));
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const certificate = certificateFault(error, socket);
    const fields = { address: socket.remoteAddress, port: options.port, reason: certificate ?? error.message };
    // Strangers who speak no TLS are no news; a client whose certificate does not count waits for somebody to act.
    if (certificate === undefined) log.debug('TLS handshake failed', fields);
    else log.warn('client certificate refused', fields);
  });
  const exchanges = createExchanges({ handler: options.handler, log, stall: limits.stall });
  server.on('request', exchanges.serve as (...args: unknown[]) => void);
  const sessions = 'updateSettings' in server ? followSessions(server, limits.idle) : undefined;
  const upgrades = options.upgrade ? createUpgrades({ decide: options.upgrade, log }) : undefined;
  if (upgrades) server.on('upgrade', upgrades.serve);

  const bound = await bind(server, options);
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    upgrades?.stop();
    exchanges.stop();
    if ('closeIdleConnections' in server) server.closeIdleConnections();
    sessions?.close();
    const last = setTimeout(() => connections.forEach((connection) => connection.destroy()), limits.stop);
    await ended;
    clearTimeout(last);
  }
  return {
    ...bound,
    renew: (tls) => renew(server, options, tls),
    close: () => (closing ??= close()),
  };
}

/** Node closes on an untrusted certificate without saying so: the reason stands on the socket. */
function certificateFault({ code }: NodeJS.ErrnoException, { authorizationError }: TLSSocket): string | undefined {
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'the client shows no certificate';
  // Typed as an error, but a code.
  return authorizationError ? String(authorizationError) : undefined;
}

type Server = http.Server | https.Server | Http2SecureServer;

/** Requests that one client may have open on one connection; a Go client then opens another. */
const streamsPerConnection = 250;

/** The one place that knows which protocols are spoken. */
function createServer({ tls }: ListenOptions, limits: HttpServerLimits): Server {
  const settings: http.ServerOptions = {
    headersTimeout: limits.head,
    requestTimeout: limits.request,
    keepAliveTimeout: limits.idle,
    connectionsCheckingInterval: Math.min(limits.head, seconds(5)),
    maxHeaderSize: 32 * 1024,
  };
  if (!tls) return http.createServer(settings);
  const clientAuth = tls.clientAuth ?? 'none';
  const secure = {
    ...settings,
    handshakeTimeout: limits.head,
    ...secureContext(tls, tls.clientCa),
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'require',
  };
  // Bun's server of HTTPS alone does not tell who the client is; the one of HTTP/2, which speaks HTTP/1.1 as well, does.
  const needsHttp2 = clientAuth !== 'none' && 'bun' in process.versions;
  if (!tls.http2 && !needsHttp2) return usingTls(() => https.createServer(secure));
  // Loaded where it is spoken: it is memory that most listeners do not need.
  const { createSecureServer } = process.getBuiltinModule('node:http2');
  return usingTls(() => {
    const server = createSecureServer({
      ...secure,
      allowHTTP1: true,
      settings: { maxConcurrentStreams: streamsPerConnection, maxHeaderListSize: settings.maxHeaderSize! },
    });
    // For clients that stay with HTTP/1.1; the option of the same name does not reach them.
    return Object.assign(server, { headersTimeout: limits.head, requestTimeout: limits.request });
  });
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

const secureContext = ({ certificate, key }: TlsFiles, clientCa: string | undefined) => ({
  cert: certificate,
  key,
  minVersion: 'TLSv1.2' as const,
  ...(clientCa === undefined ? {} : { ca: clientCa }),
});

function renew(server: Server, { tls }: ListenOptions, renewed: TlsFiles): void {
  if (!tls || !('setSecureContext' in server)) return;
  usingTls(() => server.setSecureContext(secureContext(renewed, tls.clientCa)));
}

function usingTls<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw httpErrors.BAD_TLS({ reason: error instanceof Error ? error.message : String(error) }, error);
  }
}

async function bind(server: Server, { address, port }: ListenOptions): Promise<{ address: string; port: number }> {
  const isFile = address.startsWith('/');
  const inTheWay = isFile ? await clearSocketFile(address) : undefined;
  if (inTheWay !== undefined) throw httpErrors.LISTEN_FAILED({ address, port, reason: inTheWay });
  const bound = await new Promise<{ address: string; port: number }>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? httpErrors.PORT_TAKEN({ address, port }, error)
          : httpErrors.LISTEN_FAILED({ address, port, reason: error.message }, error),
      );
    });
    const onListening = (): void => {
      server.removeAllListeners('error');
      // From here on: out of file descriptors in accept, mostly. The server goes on.
      server.on('error', () => undefined);
      const at = server.address();
      resolve(typeof at === 'object' && at ? { address: at.address, port: at.port } : { address, port });
    };
    if (isFile) listenPrivately(() => server.listen({ path: address }, onListening));
    else server.listen({ host: address, port }, onListening);
  });
  if (isFile) await chmod(address, 0o600);
  return bound;
}
