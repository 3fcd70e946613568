// Starts mosquitto and ends it with the test. It can be stopped and started again on its port in between.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { temporaryDirectory } from '../contracts/temporary-directory.ts';
import { freePort } from '../free-port/index.ts';

const program = '/usr/sbin/mosquitto';

export const hasMosquitto = (() => {
  try {
    accessSync(program);
    return true;
  } catch {
    return false;
  }
})();

export interface MosquittoOptions {
  readonly user?: { readonly username: string; readonly password: string };
  /** PEM. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientCa?: string };
}

export interface Mosquitto {
  readonly port: number;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Ends with the test, or whatever else calls what it is given with `after`. */
export async function startMosquitto(
  t: Pick<TestContext, 'after'>,
  { user, tls }: MosquittoOptions = {},
): Promise<Mosquitto> {
  const directory = await temporaryDirectory(t);
  const port = await freePort();
  const file = async (name: string, content: string): Promise<string> => {
    await writeFile(join(directory, name), content, { mode: 0o600 });
    return join(directory, name);
  };
  const lines = [`listener ${port} 127.0.0.1`, 'user root', `allow_anonymous ${user ? 'false' : 'true'}`];
  if (user) {
    const passwords = await file('passwords', '');
    execFileSync('mosquitto_passwd', ['-b', passwords, user.username, user.password], { stdio: 'ignore' });
    lines.push(`password_file ${passwords}`);
  }
  if (tls) {
    lines.push(`certfile ${await file('server.crt', tls.certificate)}`, `keyfile ${await file('server.key', tls.key)}`);
    if (tls.clientCa) lines.push(`cafile ${await file('ca.crt', tls.clientCa)}`, 'require_certificate true');
  }
  const config = await file('mosquitto.conf', `${lines.join('\n')}\n`);
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const started = spawn(program, ['-c', config], { stdio: 'ignore' });
    child = started;
    const gone = once(started, 'exit').then(() => Promise.reject(new Error('mosquitto did not start')));
    gone.catch(() => undefined);
    await Promise.race([accepts(port), gone]);
  }
  async function stop(): Promise<void> {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGKILL');
    await ended;
  }
  t.after(stop);
  await start();
  return { port, start, stop };
}

async function accepts(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const socket = createConnection(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await sleep(25);
    } finally {
      socket.destroy();
    }
  }
  throw new Error(`nothing listens on port ${port}`);
}
