// HTTP servers: they accept connections, over TLS or not, and load what speaks on them with the first. Clients that are slow to send
// or to read are cut off, so that they hold nothing for long.
//
// Connections are accepted here, and not by the servers of node:http, for three reasons: an edge that nobody asks need not load
// those; on Bun, theirs over TLS does not tell who the client is and shows a renewed certificate to nobody; and one way is enough.
// HTTP/2, which only the cloud serves, has a server of its own.
import { chmod } from 'node:fs/promises';
import * as net from 'node:net';
import * as tls from 'node:tls';
import type { Log } from '@kedge/core/log';
import { httpErrors, type HttpServers, type Listening, type ListenOptions, type TlsFiles } from '@kedge/core/ports';
import { seconds } from '@kedge/core/time';
import type { HttpServerLimits, Speaker } from '@kedge/platform/http';
import { listen } from './listen.ts';
import { clearSocketFile, listenPrivately } from './socket-file.ts';

export interface HttpServersOptions {
  readonly log: Log;
  readonly limits?: Partial<HttpServerLimits>;
}

const defaultLimits: HttpServerLimits = {
  head: seconds(10),
  request: seconds(120),
  stall: seconds(60),
  idle: seconds(90),
  stop: seconds(1),
};

export function createHttpServers({ log, limits }: HttpServersOptions): HttpServers {
  return { listen: (options) => open(options, log, { ...defaultLimits, ...limits }) };
}

async function open(options: ListenOptions, log: Log, limits: HttpServerLimits): Promise<Listening> {
  const secure = options.tls && secureOptions(options.tls, limits);
  const { server, stop } = await (options.tls?.http2 && secure
    ? openHttp2(options, secure, log, limits)
    : openFront(options, secure, log, limits));
  const connections = new Set<net.Socket>();
  server.on('connection', (connection: net.Socket) => {
    connections.add(connection);
    // node:http2 leaves this out for clients that stay with HTTP/1.1: each piece of an answer, and each event of a watch,
    // would wait for the client to acknowledge the one before, for up to 40 ms.
    connection.setNoDelay(true);
    connection.once('close', () => connections.delete(connection));
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: tls.TLSSocket) => {
    const certificate = certificateFault(error, socket);
    const fields = { address: socket.remoteAddress, port: options.port, reason: certificate ?? error.message };
    // Strangers who speak no TLS are no news; a client whose certificate does not count waits for somebody to act.
    if (certificate === undefined) log.debug('TLS handshake failed', fields);
    else log.warn('client certificate refused', fields);
    // Of a handshake that takes too long no more than this is done on Bun.
    socket.destroy();
  });

  const bound = await bind(server, options);
  let closing: Promise<void> | undefined;
  async function close(): Promise<void> {
    const ended = new Promise<void>((resolve) => server.close(() => resolve()));
    stop();
    const last = setTimeout(() => connections.forEach((connection) => connection.destroy()), limits.stop);
    await ended;
    clearTimeout(last);
  }
  return {
    ...bound,
    renew: (files) => renew(server, options, files),
    close: () => (closing ??= close()),
  };
}

interface Opened {
  readonly server: net.Server;
  stop(): void;
}

/** HTTP/1.1. */
async function openFront(
  options: ListenOptions,
  secure: tls.TlsOptions | undefined,
  log: Log,
  limits: HttpServerLimits,
): Promise<Opened> {
  let loading: Promise<Speaker> | undefined;
  let speaker: Speaker | undefined;
  let stopped = false;

  async function load(): Promise<Speaker> {
    const { createSpeaker } = await import('@kedge/platform/http');
    return (speaker = await createSpeaker(options, log, limits));
  }
  async function hand(connection: net.Socket): Promise<void> {
    connection.on('error', () => undefined);
    const loaded = speaker ?? (await (loading ??= load()));
    if (stopped) connection.destroy();
    else if (!connection.destroyed) loaded.accept(connection);
  }
  const onConnection = (connection: net.Socket): void => {
    hand(connection).catch((error: unknown) => {
      log.error('no answer to a connection', { address: options.address, port: options.port, err: error });
      connection.destroy();
    });
  };
  const server = secure
    ? usingTls(() => tls.createServer({ ...secure, ALPNProtocols: ['http/1.1'] }, onConnection))
    : net.createServer(onConnection);
  return {
    server,
    stop() {
      stopped = true;
      speaker?.stop();
    },
  };
}

async function openHttp2(
  options: ListenOptions,
  secure: tls.TlsOptions,
  log: Log,
  limits: HttpServerLimits,
): Promise<Opened> {
  const { createHttp2Server } = await import('@kedge/platform/http');
  return usingTls(() => createHttp2Server(options, secure, log, limits));
}

/** Node closes on an untrusted certificate without saying so: the reason stands on the socket. */
function certificateFault({ code }: NodeJS.ErrnoException, { authorizationError }: tls.TLSSocket): string | undefined {
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'the client shows no certificate';
  // Typed as an error, but a code.
  return authorizationError ? String(authorizationError) : undefined;
}

function secureOptions(files: NonNullable<ListenOptions['tls']>, limits: HttpServerLimits): tls.TlsOptions {
  const clientAuth = files.clientAuth ?? 'none';
  return {
    handshakeTimeout: limits.head,
    ...secureContext(files, files.clientCa),
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'require',
  };
}

const secureContext = ({ certificate, key }: TlsFiles, clientCa: string | undefined) => ({
  cert: certificate,
  key,
  minVersion: 'TLSv1.2' as const,
  ...(clientCa === undefined ? {} : { ca: clientCa }),
});

function renew(server: net.Server, { tls: files }: ListenOptions, renewed: TlsFiles): void {
  if (!files) return;
  usingTls(() => (server as tls.Server).setSecureContext(secureContext(renewed, files.clientCa)));
}

function usingTls<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw httpErrors.BAD_TLS({ reason: error instanceof Error ? error.message : String(error) }, error);
  }
}

async function bind(server: net.Server, { address, port }: ListenOptions): Promise<{ address: string; port: number }> {
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
    if (isFile) listenPrivately(() => listen(server, { path: address }, onListening));
    else listen(server, { host: address, port }, onListening);
  });
  if (isFile) await chmod(address, 0o600);
  return bound;
}
