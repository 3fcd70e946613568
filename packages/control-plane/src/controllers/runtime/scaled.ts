// A number or a percentage, as rollout limits are written.

/** `value` as a number; a percentage is taken of `whole`. */
export function scaled(value: number | string, whole: number, round: (n: number) => number): number {
  if (typeof value === 'number') return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  return percent === undefined ? 0 : round((Number(percent) * whole) / 100);
}
