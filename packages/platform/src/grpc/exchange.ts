// One call on one HTTP/2 stream: sends the request, hands out answers in order, and turns every way a call can end into
// an end or one typed error.
import type { Duration } from '@kedge/core/time';
import { type RpcCode, rpcCodes, rpcErrors } from '@kedge/wire/rpc';
import { FrameReader } from './framing.ts';
import type { Headers, Http2Stream } from './http2/index.ts';

/** Answers that wait to be taken; beyond this the peer is held back by HTTP/2 flow control. */
const waitingLimit = 64;

export interface ExchangeOptions {
  readonly path: string;
  readonly address: string;
  readonly maxMessageBytes: number;
  readonly limit: Duration | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface Exchange {
  /** The next answer; undefined when the peer ended the call with success. Rejects with how it failed. */
  next(): Promise<Uint8Array | undefined>;
  cancel(): void;
}

const grpcStatus = 'grpc-status';
const codeNames = new Map(Object.entries(rpcCodes).map(([name, code]) => [code as number, name as RpcCode]));

/** `stream` has sent its request. */
export function openExchange(stream: Http2Stream, options: ExchangeOptions): Exchange {
  const { path, address, maxMessageBytes, limit, signal } = options;
  const reader = new FrameReader(maxMessageBytes);
  const waiting: Uint8Array[] = [];
  let status: Headers | undefined;
  let httpStatus: string | undefined;
  let outcome: { error?: unknown } | undefined;
  let wake: (() => void) | undefined;

  const finish = (error?: unknown): void => {
    if (outcome) return;
    outcome = error === undefined ? {} : { error };
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    stream.reset('CANCEL');
    wake?.();
  };
  const timer =
    limit === undefined
      ? undefined
      : setTimeout(() => finish(rpcErrors.TIMED_OUT({ method: path, afterMs: limit })), limit);
  const onAbort = (): void => finish(signal?.reason ?? new Error('aborted'));
  signal?.addEventListener('abort', onAbort, { once: true });

  const failure = (trailers: Headers): unknown => {
    const code = codeNames.get(Number(trailers.get(grpcStatus)));
    if (code === 'OK') return reader.isEmpty ? undefined : malformed('the last message is cut short');
    if (code !== undefined) return rpcErrors.REFUSED({ method: path, code, message: readMessage(trailers) });
    return malformed(`the answer is not gRPC (HTTP status ${httpStatus})`);
  };
  const malformed = (reason: string): unknown => rpcErrors.MALFORMED({ method: path, reason });
  const unreachable = (reason: string, cause?: unknown): unknown =>
    rpcErrors.UNREACHABLE({ method: path, address, reason }, cause);

  stream.listen({
    headers(headers) {
      httpStatus = headers.get(':status') ?? httpStatus;
      // A failure without any message comes in one block of headers, any other end in a second one.
      if (headers.has(grpcStatus)) status = headers;
    },
    data(chunk) {
      const messages = reader.push(chunk);
      if (Array.isArray(messages)) {
        waiting.push(...messages);
        if (waiting.length > waitingLimit) stream.pause();
        wake?.();
      } else if (messages.kind === 'too large') {
        finish(rpcErrors.TOO_LARGE({ method: path, bytes: messages.bytes, limit: maxMessageBytes }));
      } else {
        finish(malformed('the peer compressed its answer, which it was not asked to'));
      }
    },
    end: () => undefined,
    closed(why) {
      if (status) finish(failure(status));
      else if (why) finish(unreachable(why.reason, why.cause));
      else finish(malformed(`the answer is not gRPC (HTTP status ${httpStatus})`));
    },
  });
  return {
    async next() {
      while (waiting.length === 0) {
        if (outcome) {
          if ('error' in outcome) throw outcome.error;
          return undefined;
        }
        await new Promise<void>((resolve) => (wake = resolve));
        wake = undefined;
      }
      const first = waiting.shift();
      if (waiting.length === 0 && stream.isPaused) stream.resume();
      return first;
    },
    cancel: () => finish(new Error('cancelled')),
  };
}

/** Percent-encoded UTF-8 in the trailer; left as it is when a peer did not encode it properly. */
function readMessage(trailers: Headers): string {
  const text = trailers.get('grpc-message') ?? '';
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
