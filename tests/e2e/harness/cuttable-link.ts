// A relay that can be cut: answers no longer come through, then what is open breaks, and what is new is turned away, until it
// is mended. So whoever asks last is left without knowing whether it was heard. Or it falls silent: everything stays open, and
// what is said goes nowhere, so that questions run into their time limit.
import { once } from 'node:events';
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net';

export interface CuttableLink {
  /** 0 when it listens on a path. */
  readonly port: number;
  cut(): Promise<void>;
  /** Until it is cut. */
  hush(): void;
  mend(): void;
  close(): Promise<void>;
}

const muteMs = 100;

export async function startLink(target: NetConnectOpts, path?: string): Promise<CuttableLink> {
  const open = new Set<readonly [client: Socket, upstream: Socket]>();
  let isCut = false;
  let isHushed = false;
  const breakAll = (): void => open.forEach((pair) => pair.forEach((socket) => socket.destroy()));
  const server = createServer((client) => {
    client.on('error', () => undefined);
    if (isCut) return void client.destroy();
    const upstream = connect(target);
    const pair = [client, upstream] as const;
    open.add(pair);
    for (const socket of pair) {
      socket.on('error', () => undefined).on('close', () => (open.delete(pair), client.destroy(), upstream.destroy()));
    }
    if (isHushed) pair.forEach((socket) => socket.resume());
    else client.pipe(upstream).pipe(client);
  });
  server.listen(path === undefined ? { host: '127.0.0.1', port: 0 } : { path });
  await once(server, 'listening');
  const address = server.address();
  return {
    port: typeof address === 'object' ? (address?.port ?? 0) : 0,
    async cut() {
      isCut = true;
      isHushed = false;
      for (const [client, upstream] of open) upstream.unpipe(client).resume();
      await new Promise((resolve) => setTimeout(resolve, muteMs));
      breakAll();
    },
    hush() {
      isHushed = true;
      for (const [client, upstream] of open) {
        client.unpipe(upstream).resume();
        upstream.unpipe(client).resume();
      }
    },
    mend() {
      isCut = false;
    },
    close: () => (breakAll(), new Promise((resolve) => server.close(() => resolve()))),
  };
}
