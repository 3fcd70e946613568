// The life of one simulated process: it may be told to die at a write to come, before or after that write took effect,
// which is all that a crash can do to what is on disk. Everything it tries afterwards fails.
import { defineErrors } from '@kedge/core/errors';

export const simErrors = defineErrors('SIM', {
  DEAD: { retry: 'never', say: () => 'this simulated process has died' },
});

export interface Life {
  readonly isOver: boolean;
  /** From now on: dies at the n-th write. */
  dieAtWrite(n: number, when: 'before' | 'after'): void;
  /** Takes that back. */
  spare(): void;
  end(): void;
  /** Runs a write, unless it is the last thing this process does. */
  write<T>(work: () => Promise<T>): Promise<T>;
  /** Throws when the process is dead. */
  check(): void;
}

export interface LifeOptions {
  /** Called at once, before anybody in the process can notice: it takes the process off the network. */
  readonly onDeath: () => void;
  /** How long a write hangs that will never take effect, while the process still does other things. */
  readonly lag: () => Promise<void>;
}

export function createLife({ onDeath, lag }: LifeOptions): Life {
  let isOver = false;
  let last: { writes: number; readonly when: 'before' | 'after' } | undefined;

  function end(): void {
    if (isOver) return;
    isOver = true;
    onDeath();
  }
  function check(): void {
    if (isOver) throw simErrors.DEAD(undefined);
  }
  return {
    get isOver() {
      return isOver;
    },
    dieAtWrite(n, when) {
      last = { writes: n, when };
    },
    spare: () => (last = undefined),
    end,
    check,
    async write(work) {
      check();
      const isLast = last !== undefined && --last.writes === 0;
      if (isLast && last!.when === 'before') {
        await lag();
        end();
      }
      check();
      const result = await work();
      if (isLast) end();
      check();
      return result;
    },
  };
}
