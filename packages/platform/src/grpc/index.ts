// gRPC without a gRPC library: calls over node:http2 on a Unix socket, just what protobuf services on the node need.
//
//     const channel = openGrpcChannel({ socketPath: '/run/containerd/containerd.sock' });
//     const cri = createCri(channel);
export { openGrpcChannel } from './channel.ts';
export type { GrpcChannel, GrpcChannelOptions } from './channel.ts';
export { askGrpcHealth } from './health.ts';
