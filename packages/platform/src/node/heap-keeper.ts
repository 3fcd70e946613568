// Keeps the heap of a daemon that mostly waits as small as what it holds. Left alone, such a process collects so rarely
// that what starting needed stays: 2 to 3 MB of 15.
import type { Module } from '@kedge/core/module';
import type { Clock, Duration } from '@kedge/core/time';
import { seconds } from '@kedge/core/time';

/** Once everything is up. */
const afterStart = seconds(5);

export interface HeapKeeperOptions {
  readonly clock: Clock;
  readonly every: Duration;
  /**
   * Only after an interval in which the process took less than this share of a core: for one that others wait for, since a
   * collection takes some milliseconds per ten megabytes.
   */
  readonly onlyBelow?: number;
}

/** Only where the program was started with `--expose-gc`; otherwise the runtime decides alone. */
export function createHeapKeeper({ clock, every, onlyBelow = Infinity }: HeapKeeperOptions): Module {
  return {
    name: 'heap',
    async start(scope) {
      const { gc } = globalThis;
      if (!gc) return;
      scope.spawn('collect garbage', async (signal) => {
        for (let wait = afterStart; !signal.aborted; wait = every) {
          const before = processorTime();
          await clock.sleep('garbage collection', wait, signal);
          if ((processorTime() - before) / wait >= onlyBelow) continue;
          // A plain collection keeps free pages for growth; this one gives them back.
          gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
        }
      });
    },
  };
}

/** Of all threads, in milliseconds. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
