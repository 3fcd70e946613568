// Chance from the operating system.
import { randomFillSync, randomUUID } from 'node:crypto';
import type { Random } from '@kedge/core/ports';

export function createRandom(): Random {
  const word = new Uint32Array(2);
  return {
    next() {
      randomFillSync(word);
      // 53 bits, as many as a double holds exactly.
      return ((word[0]! >>> 5) * 2 ** 26 + (word[1]! >>> 6)) / 2 ** 53;
    },
    uuid: () => randomUUID(),
  };
}
