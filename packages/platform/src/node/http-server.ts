// HTTP servers over node:http, node:https and node:http2: requests to a handler, upgrades to WebSockets, and an end to both.
// Clients that are slow to send or to read are cut off, so that they hold nothing for long.
import { chmod } from 'node:fs/promises';
import * as http from 'node:http';
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2';
import * as https from 'node:https';
import type { Server as NetServer, Socket as TcpSocket } from 'node:net';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import type { Log } from '@kedge/core/log';
import { httpErrors, type HttpServers, type Listening, type ListenOptions, type TlsFiles } from '@kedge/core/ports';
import { type Duration, seconds } from '@kedge/core/time';
import { clearSocketFile, listenPrivately } from './socket-file.ts';
import { createExchanges } from './http-exchange.ts';
import { createFront } from './http-front.ts';
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
  const { server, front, closeIdleConnections, forget } = createServer(options, limits);
  const connections = new Set<TcpSocket>();
  front.on('connection', (connection: TcpSocket) => {
    connections.add(connection);
    // node:http2 leaves this out for clients that stay with HTTP/1.1: each piece of an answer, and each event of a watch,
    // would wait for the client to acknowledge the one before, for up to 40 ms.
    connection.setNoDelay(true);
    connection.once('close', () => connections.delete(connection));
  });
  front.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
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
  if (upgrades) {
    server.on('upgrade', (incoming: http.IncomingMessage) => forget?.(incoming.socket));
    server.on('upgrade', upgrades.serve);
  }

  const bound = await bind(front, options);
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    const ended = new Promise<void>((resolve) => front.close(() => resolve()));
    upgrades?.stop();
    exchanges.stop();
    closeIdleConnections();
    sessions?.close();
    const last = setTimeout(() => connections.forEach((connection) => connection.destroy()), limits.stop);
    await ended;
    clearTimeout(last);
  }
  return {
    ...bound,
    renew: (tls) => renew(front, options, tls),
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

interface Created {
  /** Has the requests and upgrades. */
  readonly server: Server;
  /** Has the connections; the same, but on Bun. */
  readonly front: NetServer;
  closeIdleConnections(): void;
  /** Before a connection is no longer HTTP. */
  forget?(connection: TcpSocket): void;
}

/** The one place that knows which protocols are spoken. */
function createServer({ tls }: ListenOptions, limits: HttpServerLimits): Created {
  const settings: http.ServerOptions = {
    headersTimeout: limits.head,
    requestTimeout: limits.request,
    keepAliveTimeout: limits.idle,
    connectionsCheckingInterval: Math.min(limits.head, seconds(5)),
    maxHeaderSize: 32 * 1024,
  };
  const clientAuth = tls?.clientAuth ?? 'none';
  const secure = tls && {
    handshakeTimeout: limits.head,
    ...secureContext(tls, tls.clientCa),
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'require',
  };
  if ('bun' in process.versions && !tls?.http2) {
    const server = http.createServer(settings);
    const { server: front, ...rest } = usingTls(() => createFront(server, secure, limits));
    return { server, front, ...rest };
  }
  if (!tls?.http2) {
    const server = secure
      ? usingTls(() => https.createServer({ ...settings, ...secure }))
      : http.createServer(settings);
    return { server, front: server, closeIdleConnections: () => server.closeIdleConnections() };
  }
  // Loaded where it is spoken: it is memory that most listeners do not need.
  const { createSecureServer } = process.getBuiltinModule('node:http2');
  const server = usingTls(() =>
    createSecureServer({
      ...settings,
      ...secure,
      allowHTTP1: true,
      settings: { maxConcurrentStreams: streamsPerConnection, maxHeaderListSize: settings.maxHeaderSize! },
    }),
  );
  // For clients that stay with HTTP/1.1; the option of the same name does not reach them.
  Object.assign(server, { headersTimeout: limits.head, requestTimeout: limits.request });
  const closeIdleConnections = (): void => {
    if ('closeIdleConnections' in server) (server as unknown as http.Server).closeIdleConnections();
  };
  return { server, front: server, closeIdleConnections };
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

function renew(server: NetServer, { tls }: ListenOptions, renewed: TlsFiles): void {
  if (!tls) return;
  usingTls(() => (server as TlsServer).setSecureContext(secureContext(renewed, tls.clientCa)));
}

function usingTls<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw httpErrors.BAD_TLS({ reason: error instanceof Error ? error.message : String(error) }, error);
  }
}

async function bind(server: NetServer, { address, port }: ListenOptions): Promise<{ address: string; port: number }> {
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
