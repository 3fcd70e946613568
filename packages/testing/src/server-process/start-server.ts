// Starts a program and waits until its port takes connections. What it prints is shown when it does not start.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ServerOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly port: number;
  /** Whom the process belongs to, for programs that refuse to run as root. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** How it is made to end at once; SIGKILL, when absent. */
  readonly stopSignal?: NodeJS.Signals;
}

export interface OwnServer {
  readonly port: number;
  start(): Promise<void>;
  /** At once, as a crash. */
  stop(): Promise<void>;
  /** It is there and does nothing, until `resume`. */
  hold(): void;
  resume(): void;
}

/** The path of a program, looked for where Debian puts servers too; undefined when it is not installed. */
export function findProgram(name: string, ...places: readonly string[]): string | undefined {
  for (const place of [...places, ...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/bin']) {
    try {
      accessSync(join(place, name), constants.X_OK);
      return join(place, name);
    } catch {
      // Elsewhere, perhaps.
    }
  }
  return undefined;
}

/** Ends with the test, or whatever else calls what it is given with `after`. */
export async function startServer(
  t: Pick<TestContext, 'after'>,
  { program, args, port, owner, stopSignal = 'SIGKILL' }: ServerOptions,
): Promise<OwnServer> {
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    const started = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...owner });
    child = started;
    let said = '';
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4_000)));
    }
    const gone = once(started, 'exit').then(() => Promise.reject(new Error(`${program} did not start:\n${said}`)));
    gone.catch(() => undefined);
    await Promise.race([accepts(port), gone]);
  }
  async function stop(): Promise<void> {
    const running = child;
    child = undefined;
    if (!running || running.exitCode !== null || running.signalCode !== null) return;
    const ended = once(running, 'exit');
    running.kill('SIGCONT');
    running.kill(stopSignal);
    await ended;
  }
  t.after(stop);
  await start();
  return { port, start, stop, hold: () => child?.kill('SIGSTOP'), resume: () => child?.kill('SIGCONT') };
}

async function accepts(port: number): Promise<void> {
  for (let tries = 0; tries < 800; tries += 1) {
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
