// A TCP relay that counts the bytes of each direction: what a link really costs, TLS included.
import { connect, createServer } from 'node:net';

export interface CountingProxy {
  readonly port: number;
  /** Bytes so far, client to server and server to client. */
  readonly up: number;
  readonly down: number;
  close(): Promise<void>;
}

export async function startCountingProxy(targetPort: number): Promise<CountingProxy> {
  const count = { up: 0, down: 0 };
  const open = new Set<{ destroy(): void }>();
  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => (open.delete(socket), client.destroy(), upstream.destroy()));
    }
    client.on('data', (chunk) => (count.up += chunk.length));
    upstream.on('data', (chunk) => (count.down += chunk.length));
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    get up() {
      return count.up;
    },
    get down() {
      return count.down;
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of open) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
