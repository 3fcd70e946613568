// Two pseudo terminals with socat between them: what is written into one comes out of the other, as on a serial line.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../contracts/temporary-directory.ts';

const program = '/usr/bin/socat';

export const hasSocat = (() => {
  try {
    accessSync(program);
    return true;
  } catch {
    return false;
  }
})();

export interface SerialLine {
  /** Both ends. */
  readonly device: string;
  readonly host: string;
  /** Both are gone, as with an adapter that is pulled out. */
  unplug(): Promise<void>;
}

export async function startSerialLine(t: TestContext): Promise<SerialLine> {
  const directory = await temporaryDirectory(t);
  const [device, host] = [join(directory, 'device'), join(directory, 'host')];
  const ends = [device, host].map((link) => `pty,raw,echo=0,link=${link}`);
  const child = spawn(program, ends, { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const unplug = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
  };
  t.after(unplug);
  for (let tries = 0; tries < 200 && !(existsSync(device) && existsSync(host)); tries += 1) {
    if (child.exitCode !== null) throw new Error('socat did not start');
    await sleep(25);
  }
  return { device, host, unplug };
}
