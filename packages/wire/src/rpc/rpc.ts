// The interface of a transport for protobuf calls, and the failures that every such call can end with.
import { codeOf, defineErrors, explain } from '@kedge/core/errors';
import type { Duration } from '@kedge/core/time';

/** gRPC status codes by name. */
export const rpcCodes = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
} as const;
export type RpcCode = keyof typeof rpcCodes;

export const rpcErrors = defineErrors('RPC', {
  /** The peer answered with a failure. */
  REFUSED: {
    retry: 'backoff',
    say: (d: { method: string; code: RpcCode; message: string }) => `${d.method} failed with ${d.code}: ${d.message}`,
  },
  /** There was no answer: no connection, or it broke. Whether the call took effect is unknown. */
  UNREACHABLE: {
    retry: 'backoff',
    say: (d: { method: string; address: string; reason: string }) =>
      `${d.method}: no answer from ${d.address} (${d.reason})`,
  },
  TIMED_OUT: {
    retry: 'backoff',
    say: (d: { method: string; afterMs: number }) => `${d.method}: no answer within ${d.afterMs} ms`,
  },
  TOO_LARGE: {
    retry: 'never',
    say: (d: { method: string; bytes: number; limit: number }) =>
      `${d.method}: an answer of ${d.bytes} bytes is over the limit of ${d.limit}`,
  },
  MALFORMED: { retry: 'never', say: (d: { method: string; reason: string }) => `${d.method}: ${d.reason}` },
});

/** The gRPC code of a failed call; a lost connection counts as UNAVAILABLE. Undefined for every other error. */
export function rpcCodeOf(error: unknown): RpcCode | undefined {
  if (rpcErrors.REFUSED.is(error)) return error.details.code;
  const code = codeOf(error);
  if (code === rpcErrors.UNREACHABLE.code) return 'UNAVAILABLE';
  if (code === rpcErrors.TIMED_OUT.code) return 'DEADLINE_EXCEEDED';
  return undefined;
}

/** What the peer said went wrong, in its own words; for every other failure the whole story. */
export const rpcMessage = (error: unknown): string =>
  rpcErrors.REFUSED.is(error) ? error.details.message : explain(error);

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** How long to wait for the whole answer; the transport's own limit when absent. */
  readonly timeout?: Duration;
}

/** Carries calls. `path` is `/package.Service/Method`; messages are encoded protobuf. */
export interface RpcTransport {
  /** Throws an error of `rpcErrors`, or the signal's reason. */
  call(path: string, message: Uint8Array, options?: CallOptions): Promise<Uint8Array>;
  /** Messages as they arrive, until the peer ends the stream; stop iterating to cancel. No timeout unless given. */
  stream(path: string, message: Uint8Array, options?: CallOptions): AsyncIterable<Uint8Array>;
}
