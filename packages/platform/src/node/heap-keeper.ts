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

/** Only where the runtime lends its collector: Node.js started with `--expose-gc`, and Bun. Others decide alone. */
export function createHeapKeeper({ clock, every, onlyBelow = Infinity }: HeapKeeperOptions): Module {
  return {
    name: 'heap',
    async start(scope) {
      const collect = collector();
      if (!collect) return;
      scope.spawn('collect garbage', async (signal) => {
        for (let wait = afterStart; !signal.aborted; wait = every) {
          const before = processorTime();
          await clock.sleep('garbage collection', wait, signal);
          if ((processorTime() - before) / wait < onlyBelow) collect();
        }
      });
    },
  };
}

function collector(): (() => void) | undefined {
  const { Bun: bun, gc } = globalThis as { Bun?: { shrink(): void }; gc?: NodeJS.GCFunction };
  // Code that no longer runs goes with it, and free memory goes back to the system.
  if (bun) return () => bun.shrink();
  // A plain collection keeps free pages for growth; this one gives them back.
  return gc && (() => void gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }));
}

/** Of all threads, in milliseconds. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
