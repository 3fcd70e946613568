// gRPC without a gRPC library: calls over HTTP/2 on a Unix socket, both ends, just what protobuf services need.
//
//     const channel = openGrpcChannel({ socketPath: '/run/containerd/containerd.sock' });
//     const cri = createCri(channel);
export { openGrpcChannel } from './channel.ts';
export type { GrpcChannel, GrpcChannelOptions } from './channel.ts';
export { grpcServers } from './server.ts';
export { askGrpcHealth } from './health.ts';
