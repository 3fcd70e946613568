// A port that nothing listens on, for programs that cannot be told to pick one themselves.
//
//     const port = await freePort();
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below the range that the system hands out by itself, or somebody else might be given it before the program listens. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(20_000, 32_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
  throw new Error('found no free port');
}
