// What a part of a daemon looks like from outside, and the host that starts and stops parts in order.
import { defineErrors, explain } from '../errors/index.ts';
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

export const hostErrors = defineErrors('HOST', {
  STOPPED: {
    retry: 'never',
    say: (d: { module: string }) => `module ${d.module} is not started: the host has stopped`,
  },
});

export function createHost({ clock, log, grace = seconds(5) }: HostOptions): Host {
  const running: { module: Module; scope: OwnedScope }[] = [];
  let fail: (failure: { module: string; error: Error }) => void = () => undefined;
  const failed = new Promise<{ module: string; error: Error }>((resolve) => (fail = resolve));
  let stopping: Promise<readonly string[]> | undefined;

  async function startOne(module: Module, signal: AbortSignal): Promise<void> {
    if (stopping) throw hostErrors.STOPPED({ module: module.name });
    const began = clock.monotonic();
    const scope = openScope({ clock, name: module.name });
    running.push({ module, scope });
    // A task that fails may be the one that start waits for.
    const taskFailed = scope.failed.then((error) => Promise.reject(error));
    await orAbort(Promise.race([module.start(scope), taskFailed]), signal);
    if (stopping) throw hostErrors.STOPPED({ module: module.name });
    log.info('module ready', { module: module.name, tookMs: Math.round(clock.monotonic() - began) });
    taskFailed.catch((error: Error) => {
      log.error('module failed', { module: module.name, err: error });
      fail({ module: module.name, error });
    });
  }

  async function drain(module: Module): Promise<string | undefined> {
    if (!module.drain) return undefined;
    const { name } = module;
    const timer = new AbortController();
    const timeUp = clock.sleep(`${name} to drain`, grace, timer.signal).then(
      () => `${name}: drain did not end in time`,
      () => undefined,
    );
    const drained = module.drain(grace).then(
      () => undefined,
      (error: unknown) => `${name}: drain: ${explain(error)}`,
    );
    const left = await Promise.race([drained, timeUp]);
    timer.abort();
    return left;
  }

  async function stopAll(): Promise<readonly string[]> {
    const left: string[] = [];
    for (const { module, scope } of running.splice(0).reverse()) {
      const undrained = await drain(module);
      if (undrained !== undefined) left.push(undrained);
      for (const task of await scope.close(grace)) left.push(`${module.name}: ${task}`);
      log.debug('module stopped', { module: module.name });
    }
    if (left.length > 0) log.warn('some tasks did not end in time', { task: left });
    return left;
  }

  return {
    failed,
    async start(modules, signal) {
      try {
        for (const module of modules) await startOne(module, signal);
      } catch (error) {
        stopping ??= stopAll();
        await stopping;
        throw error;
      }
    },
    stop: () => (stopping ??= stopAll()),
  };
}
