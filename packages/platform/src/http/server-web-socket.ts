// The server's end of a WebSocket of the `ws` package as a Socket port.
import type { Socket as TcpSocket } from 'node:net';
import { httpErrors, type Socket } from '@kedge/core/ports';
import type { RawData, WebSocket } from 'ws';
import { createFrameQueue } from '../node/frame-queue.ts';
import { closeCodes, frameBytes, shortReason } from '../node/web-socket-frames.ts';

interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** What the mask of a client adds to each frame. */
const maskBytes = 4;

/** Must be called before the connection can deliver anything, that is in the tick in which it was made. */
export function createServerWebSocket(ws: WebSocket, connection: TcpSocket): Socket {
  const queue = createFrameQueue(ws);
  const traffic = { sent: 0, received: 0 };

  const received = (data: RawData): void => {
    traffic.received += frameBytes((data as Buffer).length, maskBytes);
  };
  ws.on('message', (data, binary) => {
    received(data);
    queue.push({ data: data as Buffer, binary });
  });
  ws.on('ping', (data) => {
    received(data);
    traffic.sent += frameBytes(data.length, 0);
  });
  ws.on('pong', received);
  let failure: (Error & { code?: string }) | undefined;
  ws.on('error', (error) => (failure = error));
  const closed = new Promise<Ending>((resolve) => {
    ws.once('close', (code, reason) => {
      const how =
        code === closeCodes.abnormal && failure ? endingOf(failure) : { code, reason: reason.toString('utf8') };
      resolve(how);
      queue.end();
    });
  });

  return {
    get remoteAddress() {
      return connection.remoteAddress ?? '';
    },
    get arrived() {
      return connection.bytesRead;
    },
    traffic,
    closed,
    frames: queue.frames,
    send(data, { binary = typeof data !== 'string' } = {}) {
      return new Promise((resolve, reject) => {
        if (ws.readyState !== ws.OPEN) return reject(httpErrors.CLOSED({ what: 'the WebSocket' }));
        traffic.sent += frameBytes(Buffer.byteLength(data), 0);
        ws.send(data, { binary, compress: false }, (error) =>
          error ? reject(httpErrors.CLOSED({ what: 'the WebSocket' }, error)) : resolve(),
        );
      });
    },
    close(code = closeCodes.normal, reason = '') {
      // A paused connection would never see the peer's answer to our close.
      if (ws.isPaused) ws.resume();
      ws.close(code, shortReason(reason));
    },
    terminate: () => ws.terminate(),
  };
}

/** A peer that broke the protocol is told so by `ws`; our own side learns the same. */
const endingOf = ({ code, message }: Error & { code?: string }): Ending => ({
  code:
    code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
      ? closeCodes.tooLarge
      : code?.startsWith('WS_ERR_')
        ? closeCodes.protocolError
        : closeCodes.abnormal,
  reason: message,
});
