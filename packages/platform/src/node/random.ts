// Chance from the operating system.
import { randomFillSync, randomUUID } from 'node:crypto';
import type { Random } from '@kedge/core/ports';

/** Asked for together: a call into the system costs as much for one word as for many. */
const stock = 64;

export function createRandom(): Random {
  const words = new Uint32Array(stock);
  let left = 0;
  return {
    next() {
      if (left === 0) {
        randomFillSync(words);
        left = stock;
      }
      const high = words[--left]!;
      const low = words[--left]!;
      // 53 bits, as many as a double holds exactly.
      return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
    },
    uuid: () => randomUUID(),
  };
}
