// A device plugin as a program of its own would be: a gRPC server on a socket, whose list of devices stays open.
import { createServer, type ServerHttp2Session } from 'node:http2';
import { AllocateRequest, AllocateResponse, ListAndWatchResponse } from '@kedge/wire/deviceplugin';

const frame = (message: Uint8Array): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
};

/** Offers `devices`, each of them the host's /dev/null under its own name. */
export async function startDevicePlugin(socketPath: string, devices: readonly string[]): Promise<() => Promise<void>> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    if (headers[':path'] === '/v1beta1.DevicePlugin/ListAndWatch') {
      const list = { devices: devices.map((ID) => ({ ID, health: 'Healthy' })) };
      stream.write(frame(ListAndWatchResponse.encode(list).finish()));
      return;
    }
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const { containerRequests = [] } = AllocateRequest.decode(Buffer.concat(chunks).subarray(5));
      const containerResponses = containerRequests.map(({ devicesIds = [] }) => ({
        envs: { DEVICES: devicesIds.join() },
        devices: devicesIds.map((id) => ({ containerPath: `/dev/${id}`, hostPath: '/dev/null', permissions: 'rw' })),
      }));
      stream.end(frame(AllocateResponse.encode({ containerResponses }).finish()));
    });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return async () => {
    for (const session of sessions) session.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
}
