// What a remote procedure call is to the code that makes or answers one: a path, bytes there, bytes back. gRPC carries
// them (`@kedge/platform/grpc`); tests hand in a fake.
export { rpcCodeOf, rpcCodes, rpcErrors, rpcMessage } from './rpc.ts';
export type { CallOptions, RpcCode, RpcTransport } from './rpc.ts';
export { rpcFailure } from './server.ts';
export type {
  OpenRpcChannel,
  RpcChannel,
  RpcHandler,
  RpcHandlers,
  RpcListening,
  RpcListenOptions,
  RpcServers,
} from './server.ts';
