// A client connection that carries many calls at once. It connects when a call needs it and again after it broke; a
// call that was under way then fails and is not repeated, since nobody knows whether it took effect.
import { connect } from 'node:net';
import { milliseconds, minutes, type Duration } from '@kedge/core/time';
import { type CallOptions, rpcErrors, type RpcTransport } from '@kedge/wire/rpc';
import { type Exchange, openExchange } from './exchange.ts';
import { encodeFrame } from './framing.ts';
import { Http2Connection } from './http2/index.ts';

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
  let connection: Http2Connection | undefined;
  let closed = false;

  // Every call hears of a broken connection through its own stream.
  const connected = (): Http2Connection =>
    connection?.isOpen ? connection : (connection = new Http2Connection(connect(socketPath), { side: 'client' }, {}));

  const open = (path: string, message: Uint8Array, call: CallOptions, limit: Duration | undefined): Exchange => {
    if (closed) throw rpcErrors.UNREACHABLE({ method: path, address: socketPath, reason: 'the channel is closed' });
    call.signal?.throwIfAborted();
    const request = {
      ':method': 'POST',
      ':scheme': 'http',
      ':path': path,
      // Some servers refuse the path of a socket here, which other clients send.
      ':authority': 'localhost',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...(limit === undefined ? {} : { 'grpc-timeout': `${Math.ceil(limit)}m` }),
    };
    const stream = connected().request(request, encodeFrame(message));
    if (!stream)
      throw rpcErrors.UNREACHABLE({ method: path, address: socketPath, reason: 'too many calls wait already' });
    return openExchange(stream, { path, address: socketPath, maxMessageBytes, limit, signal: call.signal });
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
      connection?.close('the channel was closed');
      connection = undefined;
    },
  };
}
