// Samples of one device on their way to edgecore: which are in memory, which on disk, and what a report of them is.

export interface ReportedSample {
  readonly property: string;
  readonly value: string;
  readonly observedDesired: string;
  readonly type: string;
  /** Unix milliseconds. */
  readonly at: number;
}

export interface Waiting extends ReportedSample {
  maybeSent: boolean;
  /** By the clock that only goes forward. */
  readonly since: number;
  /** On disk. */
  id?: number;
  /** Somebody waits until it is on a disk, ours or edgecore's, or is given up. */
  kept?: (() => void) | undefined;
}

export interface Line {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  /** The oldest ones. */
  readonly waiting: Waiting[];
  /** How many newer ones are on disk alone. */
  behind: number;
  /** Newer than those, and not on disk yet. */
  readonly fresh: Waiting[];
  /** So many are sent one by one: a report with all of them was refused, which is the fault of one. */
  alone: number;
  /** Left by a process before: so many reports of it may have arrived. */
  doubtful: number;
  /** Delivered, and still on disk up to this one; so many reports of them. */
  delivered: { readonly upTo: number; readonly reports: number; readonly since: number };
}

/** As many as edgecore takes: the values of a device that belong together arrive together. */
export const batchLimit = 1_000;

export function newLine(key: string): Line {
  const [namespace = '', name = ''] = key.split('/');
  return {
    key,
    namespace,
    name,
    waiting: [],
    behind: 0,
    fresh: [],
    alone: 0,
    doubtful: 0,
    delivered: { upTo: 0, reports: 0, since: 0 },
  };
}

export const lengthOf = ({ waiting, behind, fresh }: Line): number => waiting.length + behind + fresh.length;

export function settle(sample: Waiting): void {
  sample.kept?.();
  sample.kept = undefined;
}

export function whenKept(samples: readonly Waiting[]): Promise<void> {
  let left = samples.length;
  return new Promise((resolve) => {
    if (left === 0) resolve();
    for (const sample of samples) {
      sample.kept = () => {
        left -= 1;
        if (left === 0) resolve();
      };
    }
  });
}

/** From the head of the queue, until a property would come twice: some receivers keep one value of each per report. */
export function firstOfEach(waiting: readonly Waiting[]): Waiting[] {
  const seen = new Set<string>();
  const batch: Waiting[] = [];
  for (const sample of waiting) {
    if (seen.has(sample.property) || batch.length >= batchLimit) break;
    seen.add(sample.property);
    batch.push(sample);
  }
  return batch;
}
