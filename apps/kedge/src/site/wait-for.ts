// Waiting for something outside this process by looking again and again, with an end.

export interface WaitOptions {
  readonly what: string;
  readonly limitMs: number;
  readonly everyMs?: number;
  readonly signal: AbortSignal;
  /** Why it may never come: checked at each look, a text ends the wait. */
  readonly hopeless?: () => string | undefined;
}

/** The first value `look` returns that is not undefined. Errors of `look` count as "not yet". */
export async function waitFor<T>(look: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  const { what, limitMs, everyMs = 100, signal, hopeless } = options;
  const end = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    signal.throwIfAborted();
    try {
      const value = await look();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    const why = hopeless?.();
    if (why) throw new Error(`${what}: ${why}`);
    if (performance.now() > end) {
      const detail = last instanceof Error ? `: ${last.message}` : '';
      throw new Error(`${what} did not happen within ${Math.round(limitMs / 1_000)} s${detail}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
