// On Bun, connections for node:http are accepted here and handed to it. Its own HTTPS server does not tell who the client is
// and shows a renewed certificate to nobody, its server of HTTP/2 ends half an answer as if it were whole, and none of them cuts
// off who sends or reads nothing over TLS. Handed connections have no time limits either: they are kept here.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { type Duration, seconds } from '@kedge/core/time';

export interface ConnectionLimits {
  /** From a connection, or its TLS handshake, to the first request. */
  readonly head: Duration;
  /** To send a whole request. */
  readonly request: Duration;
  /** Without progress while an answer waits to be read. */
  readonly stall: Duration;
  /** Between requests. */
  readonly idle: Duration;
}

export interface Front {
  /** What listens, is renewed and is closed. */
  readonly server: net.Server;
  /** What is no longer HTTP has limits of its own. */
  forget(socket: net.Socket): void;
  closeIdleConnections(): void;
}

/** `requests` gets every connection, and never listens itself. `secure`: options of TLS; without them there is none. */
export function createFront(requests: Server, secure: tls.TlsOptions | undefined, limits: ConnectionLimits): Front {
  const watch = watchConnections(requests, limits);
  const onConnection = (socket: net.Socket): void => {
    socket.on('error', () => undefined);
    watch.add(socket);
    requests.emit('connection', socket);
  };
  const rest = { forget: watch.forget, closeIdleConnections: watch.closeIdle };
  if (!secure) return { server: net.createServer(onConnection), ...rest };
  const server = tls.createServer({ ...secure, ALPNProtocols: ['http/1.1'] }, onConnection);
  // A handshake that takes too long is told of, and the connection left open.
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return { server, ...rest };
}

interface Watched {
  /** Requests whose answers are not ended. */
  open: number;
  /** The last of them. */
  incoming: IncomingMessage | undefined;
  /** When it came; or when there was none any more, or never one. */
  since: number;
  /** What the client has taken, in bytes, and when that last grew. */
  taken: number;
  takenAt: number;
}

/** Looks at all connections while there are any, several times within the shortest limit. */
function watchConnections(
  requests: Server,
  limits: ConnectionLimits,
): { add(socket: net.Socket): void; forget(socket: net.Socket): void; closeIdle(): void } {
  const connections = new Map<net.Socket, Watched>();
  const every = Math.min(limits.head, limits.request, limits.stall, limits.idle, seconds(20)) / 4;
  let timer: NodeJS.Timeout | undefined;

  function forget(socket: net.Socket): void {
    connections.delete(socket);
    if (connections.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  function look(): void {
    const now = performance.now();
    for (const [socket, watched] of connections) if (isOver(socket, watched, now, limits)) end(socket, watched);
  }

  requests.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) => {
    const watched = connections.get(incoming.socket);
    if (!watched) return;
    Object.assign(watched, { open: watched.open + 1, incoming, since: performance.now() });
    outgoing.once('close', () => Object.assign(watched, { open: watched.open - 1, since: performance.now() }));
  });

  return {
    add(socket) {
      const now = performance.now();
      connections.set(socket, { open: 0, incoming: undefined, since: now, taken: 0, takenAt: now });
      socket.once('close', () => forget(socket));
      timer ??= setInterval(look, every).unref();
    },
    forget,
    closeIdle() {
      for (const [socket, { open }] of connections) if (open === 0 && socket.writableLength === 0) socket.destroy();
    },
  };
}

/** Who has asked for nothing yet is told; twice over, or in the middle of something, there is nothing to be said. */
function end(socket: net.Socket, { incoming }: Watched): void {
  if (incoming || socket.writableEnded) socket.destroy();
  else socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n', () => socket.destroy());
}

function isOver(socket: net.Socket, watched: Watched, now: number, limits: ConnectionLimits): boolean {
  const taken = socket.bytesWritten - socket.writableLength;
  if (socket.writableLength > 0 && taken === watched.taken) return now - watched.takenAt >= limits.stall;
  Object.assign(watched, { taken, takenAt: now });
  const { open, incoming, since } = watched;
  if (open > 0) return incoming?.complete === false && now - since >= limits.request;
  // An answer counts as ended when the socket has it, which may be long before the client does.
  if (socket.writableLength > 0) watched.since = now;
  return now - watched.since >= (incoming ? limits.idle : limits.head);
}
