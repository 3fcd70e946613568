// A range of IPv4 addresses or of ports from which free ones are handed out, each to one owner.
import type { Random } from '@kedge/core/ports';
import { defineErrors } from '@kedge/core/errors';

export const rangeErrors = defineErrors('APISERVER', {
  BAD_CIDR: {
    retry: 'never',
    say: (d: { cidr: string }) =>
      `"${d.cidr}" is not an IPv4 network with a prefix of 8 to 30 bits, such as 10.96.0.0/16`,
  },
});

/** Numbers from `first` to `last`. */
export class NumberPool {
  readonly first: number;
  readonly last: number;
  readonly #owners = new Map<number, string>();

  constructor(first: number, last: number) {
    this.first = first;
    this.last = last;
  }

  has(number: number): boolean {
    return number >= this.first && number <= this.last;
  }

  /** False when somebody else has it. */
  take(number: number, owner: string): boolean {
    const holder = this.#owners.get(number);
    if (holder !== undefined && holder !== owner) return false;
    this.#owners.set(number, owner);
    return true;
  }

  /** A free number, starting at a random place so that one just given back is not reused at once; undefined when full. */
  takeAny(owner: string, random: Random): number | undefined {
    const size = this.last - this.first + 1;
    if (this.#owners.size >= size) return undefined;
    const start = Math.floor(random.next() * size);
    for (let step = 0; step < size; step++) {
      const number = this.first + ((start + step) % size);
      if (this.#owners.has(number)) continue;
      this.#owners.set(number, owner);
      return number;
    }
    return undefined;
  }

  release(number: number, owner: string): void {
    if (this.#owners.get(number) === owner) this.#owners.delete(number);
  }

  /** Gives back whatever `owner` holds beyond `kept`. */
  keepOnly(owner: string, kept: ReadonlySet<number>): void {
    for (const [number, holder] of this.#owners) if (holder === owner && !kept.has(number)) this.#owners.delete(number);
  }
}

export const parseIPv4 = (text: string): number | undefined => {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const parts = match?.slice(1).map(Number);
  if (!parts || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + part, 0);
};

export const formatIPv4 = (number: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');

/** The usable addresses of a network. Throws APISERVER_BAD_CIDR. */
export function addressPool(cidr: string): NumberPool {
  const [address = '', bits = ''] = cidr.split('/');
  const base = parseIPv4(address);
  const prefix = Number(bits);
  if (base === undefined || !Number.isInteger(prefix) || prefix < 8 || prefix > 30)
    throw rangeErrors.BAD_CIDR({ cidr });
  const size = 2 ** (32 - prefix);
  const start = Math.floor(base / size) * size;
  return new NumberPool(start + 1, start + size - 2);
}
