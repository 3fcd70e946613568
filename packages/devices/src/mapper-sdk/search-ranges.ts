// What a search for devices goes through, as people write it: "1-10,20" and "192.168.1.0/28,10.0.0.5-9,plc.local". Pure, and
// bounded before anything is asked.
import { mapperErrors } from './sdk-errors.ts';

/** Each number once, in order. Throws MAPPER_BAD_CONFIG. */
export function parseNumbers(
  text: string,
  { what, minimum, maximum, limit }: { what: string; minimum: number; maximum: number; limit: number },
): readonly number[] {
  const found = new Set<number>();
  for (const part of partsOf(text)) {
    const [, first, last = first] = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (!(from >= minimum && to <= maximum && from <= to)) {
      throw bad(what, `"${part}" is no number or range from ${minimum} to ${maximum}, such as "${minimum}-${maximum}"`);
    }
    if (to - from >= limit) throw tooMany(what, limit);
    for (let number = from; number <= to; number++) found.add(number);
    if (found.size > limit) throw tooMany(what, limit);
  }
  return [...found];
}

/** Names as they are; ranges and networks of IPv4 one by one. Throws MAPPER_BAD_CONFIG. */
export function parseHosts(text: string, { what, limit }: { what: string; limit: number }): readonly string[] {
  const found = new Set<string>();
  for (const part of partsOf(text)) {
    const block = /^(\d+\.\d+\.\d+\.\d+)\/(\d{1,2})$/.exec(part);
    const range = /^(\d+\.\d+\.\d+)\.(\d{1,3})-(\d{1,3})$/.exec(part);
    if (block) {
      const bits = Number(block[2]);
      const base = toNumber(what, block[1]!);
      if (bits < 16 || bits > 32 || 2 ** (32 - bits) > limit + 2) throw tooMany(what, limit);
      const size = 2 ** (32 - bits);
      const start = base - (base % size);
      // The first and the last of a network are not hosts.
      const [from, to] = bits >= 31 ? [0, size - 1] : [1, size - 2];
      for (let n = from; n <= to; n++) found.add(toAddress(start + n));
    } else if (range) {
      const [from, to] = [Number(range[2]), Number(range[3])];
      if (from > to || to > 255) throw bad(what, `"${part}" is no range, such as "192.168.1.10-20"`);
      for (let n = from; n <= to; n++) found.add(toAddress(toNumber(what, `${range[1]}.${n}`)));
    } else if (/^[\d.]+$/.test(part)) {
      found.add(toAddress(toNumber(what, part)));
    } else if (/^[a-z0-9]([a-z0-9.:-]{0,251}[a-z0-9])?$/i.test(part)) found.add(part);
    else throw bad(what, `"${part}" is no address, network or name`);
    if (found.size > limit) throw tooMany(what, limit);
  }
  return [...found];
}

const partsOf = (text: string): readonly string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

function toNumber(what: string, address: string): number {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !(part >= 0 && part <= 255))) {
    throw bad(what, `"${address}" is no IPv4 address`);
  }
  return parts.reduce((sum, part) => sum * 256 + part, 0);
}
const toAddress = (number: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');

const bad = (where: string, problem: string): Error => mapperErrors.BAD_CONFIG({ where, problems: [problem] });
const tooMany = (where: string, limit: number): Error => bad(where, `at most ${limit} in one search`);
