// The other end of calls: handlers by path, and who listens for them.
import type { Duration } from '@kedge/core/time';
import type { RpcCode, RpcTransport } from './rpc.ts';
import { rpcErrors } from './rpc.ts';

/**
 * Answers one call. `signal` aborts when the caller gives up, its deadline passes or the server stops. A rejection with
 * RPC_REFUSED is passed on as it is; every other one is answered as UNKNOWN with what it says, as Go servers do.
 */
export type RpcHandler = (message: Uint8Array, call: { readonly signal: AbortSignal }) => Promise<Uint8Array>;

/** By path, `/package.Service/Method`; other paths are answered with UNIMPLEMENTED. */
export type RpcHandlers = Readonly<Record<string, RpcHandler>>;

export interface RpcListenOptions {
  /** A file that is left over there is replaced, one that still answers is not. */
  readonly socketPath: string;
  readonly handlers: RpcHandlers;
  /** Requests over this are refused. */
  readonly maxMessageBytes?: number;
  /** Calls answered at the same time over all connections; more are refused with RESOURCE_EXHAUSTED. */
  readonly maxCalls?: number;
  readonly maxConnections?: number;
  /** For calls that bring no deadline, and at most for those that do. */
  readonly timeout?: Duration;
}

export interface RpcListening {
  /** Stops listening, cuts what is under way and removes the socket. */
  close(): Promise<void>;
}

export interface RpcServers {
  listen(options: RpcListenOptions): Promise<RpcListening>;
}

/** A client connection of one's own. */
export interface RpcChannel extends RpcTransport {
  close(): void;
}
export type OpenRpcChannel = (options: { readonly socketPath: string; readonly timeout?: Duration }) => RpcChannel;

/** For handlers: fails the call with a code of gRPC. */
export const rpcFailure = (code: RpcCode, message: string): Error => rpcErrors.REFUSED({ method: '', code, message });
