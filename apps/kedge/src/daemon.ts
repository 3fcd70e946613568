// The frame around every daemon: log, termination, the host that runs its modules, and the exit code.
import { explain } from '@kedge/core/errors';
import { orAbort } from '@kedge/core/flow';
import { createLog, type Log, type LogLevel } from '@kedge/core/log';
import { createHost, type Module } from '@kedge/core/module';
import { onTermination, systemClock, writeToStandardError } from '@kedge/platform/node';

export interface Assembled {
  readonly modules: readonly Module[];
  /** After every module is ready. */
  ready?(): Promise<void>;
  /** After every module has stopped. */
  close?(): Promise<void>;
  /** Aborts when the daemon has to begin anew; `again` takes its place once everything has stopped. */
  readonly restart?: { readonly signal: AbortSignal; again(): never };
}

const levels: readonly string[] = ['debug', 'info', 'warn', 'error'];

function logLevel(): LogLevel {
  const asked = process.env['KEDGE_LOG'] ?? 'info';
  return levels.includes(asked) ? (asked as LogLevel) : 'info';
}

/**
 * Runs a daemon until it is asked to end (exit code 0) or a module fails (exit code 1; its supervisor starts it again).
 * `assemble` makes the modules; what it throws is told in one line.
 */
export async function runDaemon(component: string, assemble: (log: Log) => Promise<Assembled>): Promise<number> {
  const log = createLog({ now: systemClock.now, write: writeToStandardError, level: logLevel() }).child({ component });
  const termination = onTermination();
  const host = createHost({ clock: systemClock, log });
  let assembled: Assembled | undefined;
  let isRestart = false;
  try {
    assembled = await assemble(log);
    const ends = AbortSignal.any([termination.signal, ...(assembled.restart ? [assembled.restart.signal] : [])]);
    await host.start(assembled.modules, ends);
    await assembled.ready?.();
    log.info('daemon ready', { pid: process.pid });
    const { module, error } = await orAbort(host.failed, ends);
    throw new Error(`module ${module} failed`, { cause: error });
  } catch (error) {
    isRestart = !termination.signal.aborted && assembled?.restart?.signal.aborted === true;
    if (!termination.signal.aborted && !isRestart) {
      log.error('daemon ends', { err: error });
      process.stderr.write(`${component}: ${explain(error)}\n`);
    }
    return termination.signal.aborted ? 0 : 1;
  } finally {
    await host.stop();
    await assembled?.close?.();
    termination.stop();
    if (isRestart) assembled?.restart?.again();
  }
}
