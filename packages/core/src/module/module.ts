// What a part of a daemon looks like from outside, and the host that starts and stops parts in order.
import { explain } from '../errors/index.ts';
import { type OwnedScope, openScope, orAbort, type Scope } from '../flow/index.ts';
import type { Log } from '../log/index.ts';
import { type Clock, type Duration, seconds } from '../time/index.ts';

export interface Module {
  /** As in the configuration file and the logs. */
  readonly name: string;
  /** Resolves when ready to serve, not when launched. */
  start(scope: Scope): Promise<void>;
  /** Take no new work, finish what is in hand. */
  drain?(within: Duration): Promise<void>;
}

export interface Host {
  /** Starts modules in order, each ready before the next; on failure stops what was started and rethrows. */
  start(modules: readonly Module[], signal: AbortSignal): Promise<void>;
  /** Settles with the first module that failed after its start. */
  readonly failed: Promise<{ module: string; error: Error }>;
  /** Drains, aborts and cleans up, last started first; returns what did not end in time. */
  stop(): Promise<readonly string[]>;
}

export interface HostOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** How long draining may take, and then again how long tasks may take to end. */
  readonly grace?: Duration;
}

export function createHost({ clock, log, grace = seconds(5) }: HostOptions): Host {
  const running: { module: Module; scope: OwnedScope }[] = [];
  let fail: (failure: { module: string; error: Error }) => void = () => undefined;
  const failed = new Promise<{ module: string; error: Error }>((resolve) => (fail = resolve));
  let stopping: Promise<readonly string[]> | undefined;

  async function stopAll(): Promise<readonly string[]> {
    const left: string[] = [];
    for (const { module, scope } of running.splice(0).reverse()) {
      if (module.drain) {
        const timer = new AbortController();
        const drained = module.drain(grace).catch((error: unknown) => {
          left.push(`${module.name}: drain: ${explain(error)}`);
        });
        await Promise.race([
          drained,
          clock.sleep(`${module.name} to drain`, grace, timer.signal).catch(() => undefined),
        ]);
        timer.abort();
      }
      for (const task of await scope.close(grace)) left.push(`${module.name}: ${task}`);
      log.debug('module stopped', { module: module.name });
    }
    if (left.length > 0) log.warn('some tasks did not end in time', { task: left });
    return left;
  }

  return {
    failed,
    async start(modules, signal) {
      for (const module of modules) {
        const began = clock.monotonic();
        const scope = openScope({ clock, name: module.name });
        running.push({ module, scope });
        void scope.failed.then((error) => {
          log.error('module failed', { module: module.name, err: error });
          fail({ module: module.name, error });
        });
        try {
          await orAbort(module.start(scope), signal);
        } catch (error) {
          stopping ??= stopAll();
          await stopping;
          throw error;
        }
        log.info('module ready', { module: module.name, tookMs: Math.round(clock.monotonic() - began) });
      }
    },
    stop: () => (stopping ??= stopAll()),
  };
}
