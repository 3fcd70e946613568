// A gRPC server on a Unix socket: unary calls, each with a deadline, an end and a bound. It takes what clients of every
// age send (see authority.ts).
import { chmod } from 'node:fs/promises';
import { constants, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { createServer as createNetServer, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
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
import { clearSocketFile } from '../node/socket-file.ts';
import { AuthorityRewriter } from './authority.ts';
import { encodeFrame, FrameReader } from './framing.ts';

/** A message that goes into a trailer; more would not fit a peer's limit for headers. */
const maxStatusBytes = 4_096;

export const grpcServers: RpcServers = { listen: listenGrpc };

async function listenGrpc(options: RpcListenOptions): Promise<RpcListening> {
  const { socketPath, maxConnections = 64 } = options;
  await removeLeftOver(socketPath);
  const sessions = new Set<ServerHttp2Session>();
  const calls = createCalls(options);
  const http = createServer({ settings: { maxConcurrentStreams: 128, enablePush: false } });
  http.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
  });
  http.on('sessionError', () => undefined);
  http.on('stream', (stream, headers) => calls.answer(stream, headers));
  const sockets = new Set<Socket>();
  const net = createNetServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    hand(http, socket);
  });
  net.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    net.once('error', (cause) =>
      reject(rpcErrors.UNREACHABLE({ method: 'listen', address: socketPath, reason: cause.message }, cause)),
    );
    net.listen(socketPath, resolve);
  });
  net.on('error', () => undefined);
  await chmod(socketPath, 0o660);
  return {
    async close() {
      const closed = new Promise<void>((resolve) => net.close(() => resolve()));
      calls.stop();
      for (const session of sessions) session.destroy();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Bytes come in through the rewriter and go out as they are. */
function hand(http: Http2Server, socket: Socket): void {
  const incoming = new AuthorityRewriter();
  socket.pipe(incoming);
  const both = Duplex.from({ readable: incoming, writable: socket });
  socket.on('error', () => both.destroy());
  socket.on('close', () => both.destroy());
  both.on('error', () => socket.destroy());
  both.on('close', () => socket.destroy());
  http.emit('connection', both);
}

/** Listening fails on a file that is there already; one that nobody answers on was left by a crash. */
async function removeLeftOver(socketPath: string): Promise<void> {
  const inTheWay = await clearSocketFile(socketPath);
  if (inTheWay === undefined) return;
  const reason = `${inTheWay}: take it away, or configure another path`;
  throw rpcErrors.UNREACHABLE({ method: 'listen', address: socketPath, reason });
}

interface Calls {
  answer(stream: ServerHttp2Stream, headers: Readonly<Record<string, string | string[] | undefined>>): void;
  stop(): void;
}

function createCalls(options: RpcListenOptions): Calls {
  const { handlers, maxMessageBytes = 4 * 1024 * 1024, maxCalls = 256, timeout = minutes(1) } = options;
  const stopped = new AbortController();
  let running = 0;
  return {
    stop: () => stopped.abort(new Error('the server stops')),
    answer(stream, headers) {
      const path = String(headers[':path']);
      const handler = handlerOf(handlers, path);
      const ended = new AbortController();
      stream.on('error', () => ended.abort(gone));
      stream.on('close', () => ended.abort(gone));
      if (headers[':method'] !== 'POST' || !String(headers['content-type']).startsWith('application/grpc')) {
        stream.respond({ ':status': 415 }, { endStream: true });
        return;
      }
      if (!handler) return fail(stream, 'UNIMPLEMENTED', `unknown method ${path}`);
      if (running >= maxCalls) return fail(stream, 'RESOURCE_EXHAUSTED', `more than ${maxCalls} calls at once`);
      running += 1;
      const limit = Math.min(timeout, deadlineOf(headers['grpc-timeout']) ?? timeout);
      const timer = setTimeout(() => ended.abort(late), limit);
      const signal = AbortSignal.any([ended.signal, stopped.signal]);
      const inTime = new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
      );
      inTime.catch(() => undefined);
      const work = readMessage(stream, maxMessageBytes).then((message) => handler(message, { signal }));
      Promise.race([work, inTime])
        .then(
          (message) => succeed(stream, message),
          (error: unknown) => {
            if (error === late) fail(stream, 'DEADLINE_EXCEEDED', `no answer within ${limit} ms`);
            else if (rpcErrors.REFUSED.is(error)) fail(stream, error.details.code, error.details.message);
            else if (rpcErrors.TOO_LARGE.is(error)) fail(stream, 'RESOURCE_EXHAUSTED', explain(error));
            else if (rpcErrors.MALFORMED.is(error)) fail(stream, 'INVALID_ARGUMENT', explain(error));
            else fail(stream, 'UNKNOWN', explain(error));
          },
        )
        .catch(() => stream.destroy());
      // The place is free once the work has really ended, not when nobody waits for it any more.
      const free = (): void => {
        clearTimeout(timer);
        running -= 1;
      };
      work.then(free, free);
    },
  };
}

const gone = new Error('the caller has gone');
const late = new Error('the deadline has passed');

const handlerOf = (handlers: RpcHandlers, path: string) => (Object.hasOwn(handlers, path) ? handlers[path] : undefined);

function readMessage(stream: ServerHttp2Stream, limit: number): Promise<Uint8Array> {
  const reader = new FrameReader(limit);
  return new Promise((resolve, reject) => {
    const malformed = (reason: string) => reject(rpcErrors.MALFORMED({ method: 'request', reason }));
    let message: Uint8Array | undefined;
    stream.on('data', (chunk: Uint8Array) => {
      const some = reader.push(chunk);
      if (Array.isArray(some)) {
        if (some.length + (message ? 1 : 0) > 1) malformed('more than one message');
        message ??= some[0];
      } else if (some.kind === 'too large') {
        reject(rpcErrors.TOO_LARGE({ method: 'request', bytes: some.bytes, limit }));
        stream.pause();
      } else malformed('compressed messages are not supported');
    });
    stream.on('end', () => (message && reader.isEmpty ? resolve(message) : malformed('the message is cut short')));
    stream.on('close', () => reject(gone));
  });
}

function succeed(stream: ServerHttp2Stream, message: Uint8Array): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
  stream.end(encodeFrame(message));
}

function fail(stream: ServerHttp2Stream, code: RpcCode, message: string): void {
  if (stream.destroyed || stream.closed) return;
  stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(rpcCodes[code]),
      'grpc-message': encodeStatus(message),
    },
    { endStream: true },
  );
  // What the caller still sends is of no interest.
  if (!stream.readableEnded) stream.close(constants.NGHTTP2_NO_ERROR);
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
function deadlineOf(header: string | string[] | undefined): number | undefined {
  const [, digits, unit] = /^(\d{1,8})([HMSmun])$/.exec(String(header)) ?? [];
  return digits === undefined ? undefined : Math.min(2 ** 31 - 1, Math.ceil(Number(digits) * units[unit!]!));
}
