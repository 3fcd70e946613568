// The last two readings of everything on a node, and the usage between them: CPU is a rate, so one reading is not enough.
import { between, type Duration, type Instant } from '@kedge/core/time';
import type { NodeReadings, Reading } from './resource-metrics.ts';

export interface Usage {
  readonly at: Instant;
  readonly window: Duration;
  readonly cpuNanos: number;
  readonly memoryBytes: number;
}

/** Oldest first; the first is missing until there were two. */
interface Pair {
  readonly before: Reading | undefined;
  readonly last: Reading;
}

export class UsageHistory {
  #node: Pair | undefined;
  #pods = new Map<string, Map<string, Pair>>();

  /** Takes in a scrape; what it does not mention any more is forgotten. */
  add({ node, pods }: NodeReadings): void {
    this.#node = node && paired(this.#node, node);
    const next = new Map<string, Map<string, Pair>>();
    for (const [pod, containers] of pods) {
      const known = this.#pods.get(pod);
      next.set(pod, new Map([...containers].map(([name, reading]) => [name, paired(known?.get(name), reading)])));
    }
    this.#pods = next;
  }

  node(): Usage | undefined {
    return this.#node && usageOf(this.#node);
  }

  /** By container; undefined until all containers of the pod have a rate. */
  pod(key: string): ReadonlyMap<string, Usage> | undefined {
    const usages = new Map<string, Usage>();
    for (const [name, pair] of this.#pods.get(key) ?? []) {
      const usage = usageOf(pair);
      if (!usage) return undefined;
      usages.set(name, usage);
    }
    return usages.size > 0 ? usages : undefined;
  }
}

/** A kubelet may answer twice with the same reading: that is not a new one. */
function paired(known: Pair | undefined, reading: Reading): Pair {
  if (known && reading.at <= known.last.at) return known;
  return { before: known?.last, last: reading };
}

function usageOf({ before, last }: Pair): Usage | undefined {
  // A counter that went back belongs to a container that was restarted.
  if (!before || last.cpuSeconds < before.cpuSeconds) return undefined;
  const window = between(before.at, last.at);
  if (window <= 0) return undefined;
  const cpuNanos = Math.round(((last.cpuSeconds - before.cpuSeconds) * 1e9 * 1_000) / window);
  return { at: last.at, window, cpuNanos, memoryBytes: last.memoryBytes };
}
