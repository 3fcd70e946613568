// A TCP relay that can be cut: what is open breaks, what is new is turned away, until it is mended.
import { connect, createServer, type Socket } from 'node:net';

export interface CuttableLink {
  readonly port: number;
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

export async function startLink(targetPort: number): Promise<CuttableLink> {
  const open = new Set<Socket>();
  let isCut = false;
  const cut = (): void => open.forEach((socket) => socket.destroy());
  const server = createServer((client) => {
    client.on('error', () => undefined);
    if (isCut) return void client.destroy();
    const upstream = connect(targetPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      open.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => (open.delete(socket), client.destroy(), upstream.destroy()));
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    cut() {
      isCut = true;
      cut();
    },
    mend() {
      isCut = false;
    },
    close: () => (cut(), new Promise((resolve) => server.close(() => resolve()))),
  };
}
