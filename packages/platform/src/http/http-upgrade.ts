// WebSocket upgrades on an HTTP server: asks for a decision, then opens the socket or answers with the refusal.
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Socket as TcpSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Log } from '@kedge/core/log';
import { httpErrors, type ServerRequest, type UpgradeDecision } from '@kedge/core/ports';
import { type WebSocket, WebSocketServer } from 'ws';
import { pathOf, toServerRequest } from './http-exchange.ts';
import { createServerWebSocket } from './server-web-socket.ts';

/** Frames are small or dense already. A Go edge puts the bytes of its tunnel into text frames: they are not checked to be UTF-8. */
const webSocketOptions = { perMessageDeflate: false, skipUTF8Validation: true } as const;

export interface Upgrades {
  readonly serve: (incoming: IncomingMessage, connection: Duplex, head: Buffer) => void;
  /** Closes every open WebSocket with 1001 (going away). */
  stop(): void;
}

export function createUpgrades(deps: { decide: (request: ServerRequest) => UpgradeDecision; log: Log }): Upgrades {
  const { decide, log } = deps;
  const open = new Set<WebSocket>();

  function serve(incoming: IncomingMessage, connection: Duplex, head: Buffer): void {
    connection.on('error', () => undefined);
    const gone = new AbortController();
    connection.once('close', () => gone.abort(httpErrors.CLOSED({ what: 'the connection of the client' })));
    let decision: UpgradeDecision;
    try {
      decision = decide(toServerRequest(incoming, gone.signal));
    } catch (error) {
      log.warn('upgrade failed', { path: pathOf(incoming.url), err: error });
      return refuse(connection, 500, 'internal error');
    }
    if (!decision.accept) return refuse(connection, decision.status, decision.say);
    accept(decision, incoming, connection, head);
  }

  function accept(
    { headers, maxFrameBytes, protocol, open: opened }: Extract<UpgradeDecision, { accept: true }>,
    incoming: IncomingMessage,
    connection: Duplex,
    head: Buffer,
  ): void {
    // One `ws` server per connection: it holds nothing, and its options are those of this decision.
    const server = new WebSocketServer({
      ...webSocketOptions,
      noServer: true,
      clientTracking: false,
      maxPayload: maxFrameBytes,
      handleProtocols: () => protocol ?? false,
    });
    server.once('headers', (lines) => {
      for (const [name, value] of Object.entries(headers ?? {})) lines.push(`${name}: ${value}`);
    });
    server.handleUpgrade(incoming, connection, head, (ws) => {
      open.add(ws);
      ws.once('close', () => open.delete(ws));
      const socket = createServerWebSocket(ws, connection as TcpSocket);
      try {
        opened(socket);
      } catch (error) {
        log.warn('upgrade failed', { path: pathOf(incoming.url), err: error });
        socket.close(1011, 'internal error');
      }
    });
  }

  return {
    serve,
    stop() {
      for (const ws of open) ws.close(1001, 'the server is stopping');
    },
  };
}

function refuse(connection: Duplex, status: number, say: string): void {
  const body = `${say}\n`;
  connection.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Refused'}\r\n` +
      `content-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    () => connection.destroy(),
  );
}
