// A WebSocket of the `ws` package as a Socket port: frames wait in a bounded buffer until they are asked for, and the
// peer is held back when the buffer is full. Shared by the dialling and the accepting side.
import type { Socket as TcpSocket } from 'node:net';
import { type Frame, httpErrors, type Socket } from '@kedge/core/ports';
import type { RawData, WebSocket } from 'ws';

/** Options of `ws` that both sides use. Upstream puts binary tunnel frames into text frames: no UTF-8 check. */
export const webSocketOptions = { perMessageDeflate: false, skipUTF8Validation: true } as const;

/** Above this many waiting bytes the peer is not read from until half of them are gone. */
const bufferLimit = 1024 * 1024;
const bufferResume = bufferLimit / 2;
/** What a waiting frame costs besides its bytes, so that a flood of empty frames fills the buffer too. */
const perFrame = 128;
const costOf = (frame: Frame): number => frame.data.length + perFrame;

interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** Must be called before the connection can deliver anything, that is in the tick in which it was made. */
export function toSocket(ws: WebSocket, tcp: () => TcpSocket | undefined, side: 'client' | 'server'): Socket {
  const waiting: Frame[] = [];
  let waitingBytes = 0;
  let wake: (() => void) | undefined;
  let ended: Ending | undefined;
  const traffic = { sent: 0, received: 0 };
  const headOut = side === 'client' ? 4 : 0;
  const headIn = 4 - headOut;

  const received = (data: RawData): void => {
    traffic.received += frameBytes((data as Buffer).length, headIn);
  };
  ws.on('message', (data, binary) => {
    received(data);
    const frame = { data: data as Buffer, binary };
    waiting.push(frame);
    waitingBytes += costOf(frame);
    if (waitingBytes > bufferLimit) ws.pause();
    wake?.();
  });
  ws.on('ping', (data) => {
    received(data);
    traffic.sent += frameBytes(data.length, headOut);
  });
  ws.on('pong', received);
  let failure: (Error & { code?: string }) | undefined;
  ws.on('error', (error) => (failure = error));
  const closed = new Promise<Ending>((resolve) => {
    ws.once('close', (code, reason) => {
      ended = code === abnormal && failure ? endingOf(failure) : { code, reason: reason.toString('utf8') };
      resolve(ended);
      wake?.();
    });
  });

  async function* frames(): AsyncGenerator<Frame> {
    for (;;) {
      for (let frame = waiting.shift(); frame; frame = waiting.shift()) {
        waitingBytes -= costOf(frame);
        if (ws.isPaused && waitingBytes <= bufferResume) ws.resume();
        yield frame;
      }
      if (ended) return;
      await new Promise<void>((resolve) => (wake = resolve));
      wake = undefined;
    }
  }

  return {
    get remoteAddress() {
      return tcp()?.remoteAddress ?? '';
    },
    get arrived() {
      return tcp()?.bytesRead ?? 0;
    },
    traffic,
    closed,
    frames,
    send(data, { binary = typeof data !== 'string' } = {}) {
      return new Promise((resolve, reject) => {
        if (ws.readyState !== ws.OPEN) return reject(httpErrors.CLOSED({ what: 'the WebSocket' }));
        traffic.sent += frameBytes(Buffer.byteLength(data), headOut);
        ws.send(data, { binary, compress: false }, (error) =>
          error ? reject(httpErrors.CLOSED({ what: 'the WebSocket' }, error)) : resolve(),
        );
      });
    },
    close(code = 1000, reason = '') {
      // A paused connection would never see the peer's answer to our close.
      if (ws.isPaused) ws.resume();
      ws.close(code, shorten(reason));
    },
    terminate: () => ws.terminate(),
  };
}

/** The code `ws` reports when no closing handshake took place. */
const abnormal = 1006;

/** A peer that broke the protocol is told so by `ws`; our own side learns the same. */
const endingOf = ({ code, message }: Error & { code?: string }): Ending => ({
  code: code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH' ? 1009 : code?.startsWith('WS_ERR_') ? 1002 : abnormal,
  reason: message,
});

/** RFC 6455 section 5.2: two bytes, a longer length where needed, and the mask. */
const frameBytes = (payload: number, mask: number): number =>
  2 + (payload > 65_535 ? 8 : payload > 125 ? 2 : 0) + mask + payload;

/** A close frame holds at most 123 bytes of reason. */
function shorten(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > 123) text = text.slice(0, -1);
  return text;
}
