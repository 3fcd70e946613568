// Sets of completion indexes as a Job's status writes them: `0-2,5`. Pure.

/** Indexes that are no numbers below `limit` are left out. */
export function parseIndexes(text: string | undefined, limit: number): Set<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? '').split(',')) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(part.trim()) ?? [];
    if (first === undefined) continue;
    for (let index = Number(first); index <= Math.min(Number(last), limit - 1); index++) indexes.add(index);
  }
  return indexes;
}

export function formatIndexes(indexes: Iterable<number>): string {
  const ranges: { first: number; last: number }[] = [];
  for (const index of [...indexes].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range && index === range.last + 1) range.last = index;
    else ranges.push({ first: index, last: index });
  }
  // Two in a row are no range yet, as upstream writes it.
  const say = (first: number, last: number): string => `${first}${last === first + 1 ? ',' : '-'}${last}`;
  return ranges.map(({ first, last }) => (first === last ? String(first) : say(first, last))).join(',');
}
