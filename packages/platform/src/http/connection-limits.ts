// Time limits of connections that somebody else accepted and node:http only speaks on: it keeps none for those.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
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

export interface ConnectionWatch {
  add(connection: Socket): void;
  /** What is no longer HTTP has limits of its own. */
  forget(connection: Socket): void;
  closeIdle(): void;
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
export function watchConnections(requests: Server, limits: ConnectionLimits): ConnectionWatch {
  const connections = new Map<Socket, Watched>();
  const every = Math.min(limits.head, limits.request, limits.stall, limits.idle, seconds(20)) / 4;
  let timer: NodeJS.Timeout | undefined;

  function forget(socket: Socket): void {
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
function end(socket: Socket, { incoming }: Watched): void {
  if (incoming || socket.writableEnded) socket.destroy();
  else socket.end('HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n', () => socket.destroy());
}

function isOver(socket: Socket, watched: Watched, now: number, limits: ConnectionLimits): boolean {
  const taken = socket.bytesWritten - socket.writableLength;
  if (socket.writableLength > 0 && taken === watched.taken) return now - watched.takenAt >= limits.stall;
  Object.assign(watched, { taken, takenAt: now });
  const { open, incoming, since } = watched;
  if (open > 0) return incoming?.complete === false && now - since >= limits.request;
  // An answer counts as ended when the socket has it, which may be long before the client does.
  if (socket.writableLength > 0) watched.since = now;
  return now - watched.since >= (incoming ? limits.idle : limits.head);
}
