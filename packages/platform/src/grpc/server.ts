// A gRPC server on a Unix socket: unary calls, each with a deadline, an end and a bound. It takes what clients of every
// age send: up to about version 1.57 those in Go put the path of the socket into `:authority`, which nobody looks at here.
import { chmod } from 'node:fs/promises';
import { createServer } from 'node:net';
import { explain } from '@kedge/core/errors';
import { minutes } from '@kedge/core/time';
import {
  type RpcCode,
  rpcCodes,
  rpcErrors,
  type RpcHandlers,
  type RpcListening,
  type RpcListenOptions,
  type RpcServers,
} from '@kedge/wire/rpc';
import { listen } from '../node/listen.ts';
import { clearSocketFile, listenPrivately } from '../node/socket-file.ts';
import { encodeFrame, FrameReader } from './framing.ts';
import { type HeaderFields, type Headers, Http2Connection, type Http2Stream } from './http2/index.ts';

/** A message that goes into a trailer; more would not fit a peer's limit for headers. */
const maxStatusBytes = 4_096;
/** Calls that one connection may have open at once. */
const maxStreamsEach = 128;

export const grpcServers: RpcServers = { listen: listenGrpc };

async function listenGrpc(options: RpcListenOptions): Promise<RpcListening> {
  const { socketPath, maxConnections = 64 } = options;
  await removeLeftOver(socketPath);
  const connections = new Set<Http2Connection>();
  const calls = createCalls(options);
  const net = createServer((socket) => {
    const connection: Http2Connection = new Http2Connection(
      socket,
      { side: 'server', maxStreams: maxStreamsEach },
      { stream: calls.answer, closed: () => connections.delete(connection) },
    );
    connections.add(connection);
  });
  net.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    net.once('error', (cause) =>
      reject(rpcErrors.UNREACHABLE({ method: 'listen', address: socketPath, reason: cause.message }, cause)),
    );
    listenPrivately(() => listen(net, { path: socketPath }, resolve));
  });
  net.on('error', () => undefined);
  await chmod(socketPath, 0o660);
  return {
    async close() {
      const closed = new Promise<void>((resolve) => net.close(() => resolve()));
      calls.stop();
      for (const connection of connections) connection.close('the server stops');
      await closed;
    },
  };
}

/** Listening fails on a file that is there already; one that nobody answers on was left by a crash. */
async function removeLeftOver(socketPath: string): Promise<void> {
  const inTheWay = await clearSocketFile(socketPath);
  if (inTheWay === undefined) return;
  const reason = `${inTheWay}: take it away, or configure another path`;
  throw rpcErrors.UNREACHABLE({ method: 'listen', address: socketPath, reason });
}

interface Calls {
  answer(this: void, stream: Http2Stream): void;
  stop(): void;
}

function createCalls(options: RpcListenOptions): Calls {
  const { handlers, maxMessageBytes = 4 * 1024 * 1024, maxCalls = 256, timeout = minutes(1) } = options;
  const stopped = new AbortController();
  let running = 0;
  return {
    stop: () => stopped.abort(new Error('the server stops')),
    answer(stream) {
      const request = readRequest(stream, maxMessageBytes, (headers) => begin(stream, headers, request));
    },
  };

  function begin(stream: Http2Stream, headers: Headers, { message, ended }: Request): void {
    const path = headers.get(':path') ?? '';
    const handler = handlerOf(handlers, path);
    if (headers.get(':method') !== 'POST' || !headers.get('content-type')?.startsWith('application/grpc'))
      return refuse(stream, { ':status': '415' });
    if (!handler) return fail(stream, 'UNIMPLEMENTED', `unknown method ${path}`);
    if (running >= maxCalls) return fail(stream, 'RESOURCE_EXHAUSTED', `more than ${maxCalls} calls at once`);
    running += 1;
    const limit = Math.min(timeout, deadlineOf(headers.get('grpc-timeout')) ?? timeout);
    const timer = setTimeout(() => ended.abort(late), limit);
    const signal = AbortSignal.any([ended.signal, stopped.signal]);
    const inTime = new Promise<never>((_, reject) =>
      signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
    );
    inTime.catch(() => undefined);
    const work = message.then((bytes) => handler(bytes, { signal }));
    void Promise.race([work, inTime]).then(
      (answer) => succeed(stream, answer),
      (error: unknown) => {
        if (error === late) fail(stream, 'DEADLINE_EXCEEDED', `no answer within ${limit} ms`);
        else if (rpcErrors.REFUSED.is(error)) fail(stream, error.details.code, error.details.message);
        else if (rpcErrors.TOO_LARGE.is(error)) fail(stream, 'RESOURCE_EXHAUSTED', explain(error));
        else if (rpcErrors.MALFORMED.is(error)) fail(stream, 'INVALID_ARGUMENT', explain(error));
        else fail(stream, 'UNKNOWN', explain(error));
      },
    );
    // The place is free once the work has really ended, not when nobody waits for it any more.
    const free = (): void => {
      clearTimeout(timer);
      running -= 1;
    };
    work.then(free, free);
  }
}

const gone = new Error('the caller has gone');
const late = new Error('the deadline has passed');

const handlerOf = (handlers: RpcHandlers, path: string) => (Object.hasOwn(handlers, path) ? handlers[path] : undefined);

interface Request {
  /** Rejects when it is too large, malformed, or does not come to its end. */
  readonly message: Promise<Uint8Array>;
  /** Aborted when the caller has gone. */
  readonly ended: AbortController;
}

function readRequest(stream: Http2Stream, limit: number, begin: (headers: Headers) => void): Request {
  const reader = new FrameReader(limit);
  const ended = new AbortController();
  const message = new Promise<Uint8Array>((resolve, reject) => {
    const malformed = (reason: string) => reject(rpcErrors.MALFORMED({ method: 'request', reason }));
    let only: Uint8Array | undefined;
    const finish = (): void => (only && reader.isEmpty ? resolve(only) : malformed('the message is cut short'));
    let hasBegun = false;
    stream.listen({
      headers(headers, last) {
        if (!hasBegun) begin(headers);
        hasBegun = true;
        if (last) finish();
      },
      data(chunk) {
        const some = reader.push(chunk);
        if (Array.isArray(some)) {
          if (some.length + (only ? 1 : 0) > 1) malformed('more than one message');
          only ??= some[0];
        } else if (some.kind === 'too large') {
          reject(rpcErrors.TOO_LARGE({ method: 'request', bytes: some.bytes, limit }));
          stream.pause();
        } else malformed('compressed messages are not supported');
      },
      end: finish,
      closed() {
        ended.abort(gone);
        reject(gone);
      },
    });
  });
  // Where the call is refused at once nobody waits for it.
  message.catch(() => undefined);
  return { message, ended };
}

const head = { ':status': '200', 'content-type': 'application/grpc' };

function succeed(stream: Http2Stream, message: Uint8Array): void {
  stream.sendHeaders(head);
  stream.sendData(encodeFrame(message), { 'grpc-status': '0' });
}

const fail = (stream: Http2Stream, code: RpcCode, message: string): void =>
  refuse(stream, { ...head, 'grpc-status': String(rpcCodes[code]), 'grpc-message': encodeStatus(message) });

function refuse(stream: Http2Stream, fields: HeaderFields): void {
  stream.sendHeaders(fields, true);
  // What the caller still sends is of no interest.
  stream.reset('NO_ERROR');
}

/** Printable ASCII stays as it is, the rest is percent-encoded UTF-8. */
function encodeStatus(text: string): string {
  let encoded = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    if (encoded.length > maxStatusBytes) break;
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds; undefined when there is none or it cannot be read. */
function deadlineOf(header: string | undefined): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
  return digits === undefined ? undefined : Math.min(2 ** 31 - 1, Math.ceil(Number(digits) * units[unit!]!));
}
