// Keeps containers' logs from filling the disk: a log over its size is put aside, the runtime is told to begin a new one,
// and only so many old ones stay. Source: the kubelet's containerLogMaxSize and containerLogMaxFiles.
import { explain } from '@kedge/core/errors';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import { type Clock, type Duration, toTime } from '@kedge/core/time';
import type { Cri } from '@kedge/wire/cri';

export interface LogRotationSettings {
  readonly maxBytes: number;
  /** With the one that is written. */
  readonly maxFiles: number;
  readonly every: Duration;
}

export interface LogRotationDeps {
  readonly cri: Pick<Cri, 'reopenContainerLog'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Pick<Files, 'info' | 'list' | 'rename' | 'remove'>;
  readonly settings: LogRotationSettings;
  /** Containers that run, with the file each writes to. */
  readonly running: () => Iterable<{ readonly containerId: string; readonly directory: string; readonly name: string }>;
}

export interface LogRotation {
  start(scope: Scope): void;
  /** One look at every log. */
  look(signal: AbortSignal): Promise<void>;
}

export function createLogRotation(deps: LogRotationDeps): LogRotation {
  const { cri, clock, log, files, settings } = deps;

  async function rotate(containerId: string, directory: string, name: string, signal: AbortSignal): Promise<void> {
    const path = `${directory}/${name}`;
    const aside = `${path}.${stamp(toTime(clock.now()))}`;
    for (const old of oldLogs((await files.list(directory)) ?? [], name, settings.maxFiles - 2)) {
      await files.remove(`${directory}/${old}`);
    }
    await files.rename(path, aside);
    try {
      await cri.reopenContainerLog({ containerId }, { signal });
    } catch (error) {
      // The runtime goes on writing to the file it has: under its old name, readers find it.
      if ((await files.info(path)) === undefined) await files.rename(aside, path);
      throw error;
    }
    if (settings.maxFiles < 2) await files.remove(aside);
  }

  async function look(signal: AbortSignal): Promise<void> {
    for (const { containerId, directory, name } of deps.running()) {
      signal.throwIfAborted();
      const info = await files.info(`${directory}/${name}`).catch(() => undefined);
      if (!info || info.size <= settings.maxBytes) continue;
      await rotate(containerId, directory, name, signal).catch((error: unknown) => {
        signal.throwIfAborted();
        log.warn('log could not be rotated', { container: containerId, reason: explain(error) });
      });
    }
  }

  return {
    look,
    start(scope) {
      scope.spawn('log rotation', async (signal) => {
        while (!signal.aborted) {
          await clock.sleep('log rotation', settings.every, signal);
          await look(signal);
        }
      });
    },
  };
}

/** `2026-01-02T03:04:05Z` as `20260102-030405`: names in the order of time. */
const stamp = (time: string): string => time.replace(/[-:Z]/g, '').replace('T', '-');

/** Rotated files of a log beyond those that may stay, oldest first. */
export function oldLogs(names: readonly string[], name: string, keep: number): string[] {
  const rotated = names.filter((one) => one.startsWith(`${name}.`)).toSorted();
  return rotated.slice(0, Math.max(0, rotated.length - Math.max(0, keep)));
}
