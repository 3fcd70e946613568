// Numbers that may be written as a share of a total: `maxSurge: 25%`, `maxUnavailable: 1`.

/** The percentage of `"25%"`; undefined for a number or any other text. */
export function percentOf(value: number | string): number | undefined {
  const match = typeof value === 'string' ? /^(\d{1,9})%$/.exec(value) : null;
  return match ? Number(match[1]) : undefined;
}

/** The number meant, of `total`; a text that is no percentage counts as 0, validation having refused it. */
export function intOrPercent(value: number | string, total: number, round: 'down' | 'up'): number {
  if (typeof value === 'number') return value;
  const share = ((percentOf(value) ?? 0) * total) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
