// Does many alike things in growing batches, so that a cause that makes all fail is met once, not five hundred times.

export interface SlowStart {
  readonly done: number;
  readonly error: unknown;
}

/** Runs `work` `count` times, 1, 2, 4, ... at once; stops after the first batch with a failure. */
export async function slowStart(count: number, work: (at: number) => Promise<void>): Promise<SlowStart> {
  let done = 0;
  for (let size = 1; done < count; size *= 2) {
    const batch = Array.from({ length: Math.min(size, count - done) }, (_, at) => work(done + at));
    const results = await Promise.allSettled(batch);
    const failed = results.filter((result) => result.status === 'rejected');
    done += results.length - failed.length;
    if (failed.length > 0) return { done, error: failed[0]!.reason };
  }
  return { done, error: undefined };
}
