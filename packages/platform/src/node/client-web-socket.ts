// The client's end of a WebSocket on a connection whose upgrade has been granted, as a Socket port.
import { randomFillSync } from 'node:crypto';
import type { Socket as TcpSocket } from 'node:net';
import { httpErrors, type Socket } from '@kedge/core/ports';
import { milliseconds, seconds } from '@kedge/core/time';
import { createFrameQueue } from './frame-queue.ts';
import {
  closeCodes,
  createFrameReader,
  encodeFrame,
  FrameFault,
  frameBytes,
  type Incoming,
  type Opcode,
  opcodes,
  shortReason,
} from './web-socket-frames.ts';

/** How long the peer may take to answer our close, and to end the connection after it. */
const closeWithin = seconds(30);
/** How long a peer that broke the protocol may take to be told so. */
const tellWithin = milliseconds(500);

interface Ending {
  readonly code: number;
  readonly reason: string;
}

/** `connection` is not read by anybody else; `first`: bytes that came behind the answer's head. */
export function createClientWebSocket(connection: TcpSocket, first: Buffer, maxFrameBytes: number): Socket {
  const reader = createFrameReader(maxFrameBytes);
  const queue = createFrameQueue({
    pause: () => connection.pause(),
    resume: () => connection.resume(),
  });
  const traffic = { sent: 0, received: 0 };
  const arrivedBefore = connection.bytesRead - first.length;
  const mask = Buffer.alloc(4);
  let ending: Ending | undefined;
  let isClosing = false;
  let deaf = false;
  let timer: NodeJS.Timeout | undefined;

  const closed = new Promise<Ending>((resolve) => {
    connection.once('close', () => {
      clearTimeout(timer);
      isClosing = true;
      resolve(ending ?? { code: closeCodes.abnormal, reason: '' });
      queue.end();
    });
  });

  function write(opcode: Opcode, payload: string | Uint8Array, done?: (error?: Error | null) => void): void {
    randomFillSync(mask);
    connection.write(encodeFrame(opcode, payload, mask), done);
  }

  const count = (payload: string | Uint8Array): void => {
    traffic.sent += frameBytes(Buffer.byteLength(payload), mask.length);
  };

  /** Says that this is the end, once; whoever does not end the connection in time has it cut. */
  function sayClose(code: number, reason: string): void {
    if (isClosing) return;
    isClosing = true;
    const text = Buffer.from(shortReason(reason));
    const payload = Buffer.alloc(code === closeCodes.none ? 0 : 2 + text.length);
    if (payload.length > 0) {
      payload.writeUInt16BE(code);
      text.copy(payload, 2);
    }
    write(opcodes.close, payload);
    cutAfter(closeWithin);
  }

  function cutAfter(ms: number): void {
    clearTimeout(timer);
    timer = setTimeout(() => connection.destroy(), ms);
  }

  /** What is held back would keep the end of the connection from being seen. */
  function hearNoMore(): void {
    deaf = true;
    connection.end();
    connection.resume();
  }

  function receive(incoming: Incoming): void {
    if (incoming.kind === 'close') {
      ending = { code: incoming.code, reason: incoming.reason };
      sayClose(incoming.code, '');
      hearNoMore();
      return;
    }
    traffic.received += frameBytes(incoming.data.length, 0);
    if (incoming.kind === 'message') queue.push({ data: incoming.data, binary: incoming.binary });
    // Who is told of an end needs no answers; who reads none gets no more of them than the connection holds.
    else if (incoming.kind === 'ping' && !isClosing && !connection.writableNeedDrain) {
      count(incoming.data);
      write(opcodes.pong, incoming.data);
    }
  }

  function hear(chunk: Buffer): void {
    if (deaf) return;
    reader.push(chunk);
    try {
      while (!deaf) {
        const incoming = reader.next();
        if (!incoming) return;
        receive(incoming);
      }
    } catch (error) {
      if (!(error instanceof FrameFault)) throw error;
      ending = { code: error.code, reason: error.message };
      sayClose(error.code, error.message);
      cutAfter(tellWithin);
      hearNoMore();
    }
  }

  connection.on('data', hear);
  connection.on('error', (error) => (ending ??= { code: closeCodes.abnormal, reason: error.message }));
  if (first.length > 0) hear(first);
  connection.resume();

  return {
    get remoteAddress() {
      return connection.remoteAddress ?? '';
    },
    get arrived() {
      return connection.bytesRead - arrivedBefore;
    },
    traffic,
    closed,
    frames: queue.frames,
    send(data, { binary = typeof data !== 'string' } = {}) {
      return new Promise((resolve, reject) => {
        const fail = (error?: Error): void => reject(httpErrors.CLOSED({ what: 'the WebSocket' }, error));
        if (isClosing || connection.destroyed) return fail();
        count(data);
        write(binary ? opcodes.binary : opcodes.text, data, (error) => (error ? fail(error) : resolve()));
      });
    },
    close(code = closeCodes.normal, reason = '') {
      // A connection that is held back would never see the peer's answer to our close.
      connection.resume();
      sayClose(code, reason);
    },
    terminate: () => connection.destroy(),
  };
}
