// A base for a site's ports that nobody uses: several test runs share a machine.
import { createServer } from 'node:net';
import { sitePorts } from '../../../apps/kedge/src/site/layout.ts';

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });

export async function freePortBase(): Promise<number> {
  for (let tries = 0; tries < 50; tries++) {
    const base = 20_000 + Math.floor(Math.random() * 20) * 500 + (process.pid % 17) * 20;
    const checks = await Promise.all(Object.values(sitePorts(base)).map(isFree));
    if (checks.every(Boolean)) return base;
  }
  throw new Error('found no free ports for a site');
}
