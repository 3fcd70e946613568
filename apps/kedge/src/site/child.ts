// One child process of a site: its output goes to a log file, its id to a pid file, and when it ends without having
// been asked to, it is started again with back-off.
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { explain } from '@kedge/core/errors';
import { backoffDelay } from '@kedge/core/flow';
import { seconds } from '@kedge/core/time';
import { limitLog } from './limit-log.ts';
import { processStartTime, removePidFile, stopProcess, writePidFile } from './pid-files.ts';

export interface ChildOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Beside the environment of the supervisor. */
  readonly env?: Readonly<Record<string, string>>;
  readonly logDirectory: string;
  readonly pidDirectory: string;
  readonly onRestart: (name: string, why: string, delayMs: number) => void;
  /** Something that the child survives, such as a full disk. */
  readonly onTrouble: (name: string, say: string) => void;
}

export interface Child {
  readonly name: string;
  /** How often it has ended by itself. */
  readonly restarts: number;
  readonly running: boolean;
  /** What it said at its end: the last line of its log that is for people, or else the last line. */
  lastWords(): string;
  stop(graceMs: number): Promise<void>;
}

const lookAtLogMs = 60_000;
/** A child that ran this long is healthy again: its back-off starts anew. */
const healthyAfterMs = 60_000;

export function startChild(options: ChildOptions): Child {
  const { name, command, args, env = {}, logDirectory, pidDirectory, onRestart, onTrouble } = options;
  const logFile = join(logDirectory, `${name}.log`);
  let process_: ChildProcess | undefined;
  let stopping = false;
  let restarts = 0;
  let attempt = 0;
  let timer: NodeJS.Timeout | undefined;

  const onLogTime = (): void => {
    try {
      limitLog(logFile);
    } catch (error) {
      onTrouble(name, `its log cannot be cut: ${explain(error)}`);
    }
  };

  /** The child without its output, when there is no room for that. */
  function openLog(): number | 'ignore' {
    try {
      return openSync(logFile, 'a');
    } catch (error) {
      onTrouble(name, `its log cannot be written: ${explain(error)}`);
      return 'ignore';
    }
  }

  function launch(): void {
    const log = openLog();
    const began = performance.now();
    // A group of its own: Ctrl-C in the terminal reaches the supervisor only, which then stops things in order.
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
      detached: true,
    });
    if (log !== 'ignore') closeSync(log);
    process_ = child;
    if (child.pid !== undefined) {
      writePidFile(pidDirectory, name, child.pid).catch((error: unknown) =>
        onTrouble(name, `its process id cannot be kept: ${explain(error)}`),
      );
    }
    let ended = false;
    const onEnd = (why: string): void => {
      if (ended) return;
      ended = true;
      process_ = undefined;
      if (stopping) return;
      restarts += 1;
      attempt = performance.now() - began > healthyAfterMs ? 0 : attempt + 1;
      const delay = backoffDelay(attempt, { first: seconds(0.25), max: seconds(30) });
      onRestart(name, why, delay);
      timer = setTimeout(launch, delay);
    };
    child.on('error', (error) => onEnd(error.message));
    child.on('exit', (code, signal) => onEnd(signal ? `killed by ${signal}` : `exit code ${code}`));
  }

  onLogTime();
  launch();
  const logTimer = setInterval(onLogTime, lookAtLogMs).unref();
  return {
    name,
    get restarts() {
      return restarts;
    },
    get running() {
      return process_ !== undefined;
    },
    lastWords() {
      try {
        const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n');
        return lines.findLast((line) => !line.startsWith('{')) ?? lines.at(-1) ?? '';
      } catch {
        return '';
      }
    },
    async stop(graceMs) {
      stopping = true;
      clearTimeout(timer);
      clearInterval(logTimer);
      const pid = process_?.pid;
      const startTime = pid === undefined ? undefined : processStartTime(pid);
      if (pid !== undefined && startTime !== undefined) await stopProcess({ name, pid, startTime }, graceMs);
      await removePidFile(pidDirectory, name);
    },
  };
}
