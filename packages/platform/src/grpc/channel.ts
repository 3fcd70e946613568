// A client connection that carries many calls at once. It connects when a call needs it and again after it broke; a
// call that was under way then fails and is not repeated, since nobody knows whether it took effect.
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectSocket } from 'node:net';
import { milliseconds, minutes, type Duration } from '@kedge/core/time';
import { type CallOptions, rpcErrors, type RpcTransport } from '@kedge/wire/rpc';
import { type Exchange, openExchange } from './exchange.ts';

export interface GrpcChannelOptions {
  readonly socketPath: string;
  /** Answers over this are refused. */
  readonly maxMessageBytes?: number;
  /** For calls that bring no timeout of their own. */
  readonly timeout?: Duration;
}

export interface GrpcChannel extends RpcTransport {
  /** Cuts calls under way. */
  close(): void;
}

export function openGrpcChannel(options: GrpcChannelOptions): GrpcChannel {
  const { socketPath, maxMessageBytes = 16 * 1024 * 1024, timeout = minutes(2) } = options;
  let session: ClientHttp2Session | undefined;
  let closed = false;

  const connected = (): ClientHttp2Session => {
    if (session && !session.closed && !session.destroyed) return session;
    const opened = connect('http://localhost', { createConnection: () => connectSocket(socketPath) });
    const forget = (): void => {
      if (session === opened) session = undefined;
    };
    // Every call hears of a broken connection through its own stream; here it only must not be an uncaught event.
    opened.on('error', forget).on('close', forget).on('goaway', forget);
    return (session = opened);
  };

  const open = (path: string, message: Uint8Array, call: CallOptions, limit: Duration | undefined): Exchange => {
    if (closed) throw rpcErrors.UNREACHABLE({ method: path, address: socketPath, reason: 'the channel is closed' });
    call.signal?.throwIfAborted();
    const request = {
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: path,
      // Some servers refuse the path of a socket here, which other clients send.
      [constants.HTTP2_HEADER_AUTHORITY]: 'localhost',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(limit === undefined ? {} : { 'grpc-timeout': `${Math.ceil(limit)}m` }),
    };
    let stream: ClientHttp2Stream;
    try {
      stream = connected().request(request);
    } catch (cause) {
      session = undefined;
      throw rpcErrors.UNREACHABLE({ method: path, address: socketPath, reason: 'the connection is closing' }, cause);
    }
    return openExchange(stream, message, { path, address: socketPath, maxMessageBytes, limit, signal: call.signal });
  };

  return {
    async call(path, message, call = {}) {
      const exchange = open(path, message, call, call.timeout ?? timeout);
      let answer: Uint8Array | undefined;
      for (let next = await exchange.next(); next; next = await exchange.next()) answer = next;
      if (!answer) throw rpcErrors.MALFORMED({ method: path, reason: 'success without an answer' });
      return answer;
    },
    async *stream(path, message, call = {}) {
      const exchange = open(path, message, call, call.timeout === undefined ? undefined : milliseconds(call.timeout));
      try {
        for (let next = await exchange.next(); next; next = await exchange.next()) yield next;
      } finally {
        exchange.cancel();
      }
    },
    close() {
      closed = true;
      session?.destroy();
      session = undefined;
    },
  };
}
