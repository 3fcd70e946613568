// Lengths of time and points in time as branded numbers, so that a bare number is never mistaken for either.
// Both count milliseconds; an Instant counts them from the Unix epoch.

declare const durationBrand: unique symbol;
declare const instantBrand: unique symbol;

/** A length of time. Compare and add with plain operators; make one with `seconds(5)` and friends. */
export type Duration = number & { readonly [durationBrand]: true };

/** A point in time, milliseconds since the Unix epoch. */
export type Instant = number & { readonly [instantBrand]: true };

export const milliseconds = (n: number): Duration => n as Duration;
export const seconds = (n: number): Duration => (n * 1_000) as Duration;
export const minutes = (n: number): Duration => (n * 60_000) as Duration;
export const hours = (n: number): Duration => (n * 3_600_000) as Duration;
export const days = (n: number): Duration => (n * 86_400_000) as Duration;

export const instant = (epochMs: number): Instant => epochMs as Instant;
export const plus = (at: Instant, howLong: Duration): Instant => (at + howLong) as Instant;
export const minus = (at: Instant, howLong: Duration): Instant => (at - howLong) as Instant;
/** How long from `earlier` to `later`; negative when the clock was set back in between. */
export const between = (earlier: Instant, later: Instant): Duration => (later - earlier) as Duration;

/** RFC 3339 in UTC with whole seconds, the form of Kubernetes `Time` fields. */
export const toTime = (at: Instant): string => `${dateAndTime(at)}Z`;

/** RFC 3339 in UTC with milliseconds, as `Date` writes it. */
export const toMilliTime = (at: Instant): string => `${dateAndTime(at)}.${fraction(at)}Z`;

/** RFC 3339 in UTC with microseconds, the form of Kubernetes `MicroTime` fields. */
export const toMicroTime = (at: Instant): string => `${dateAndTime(at)}.${fraction(at)}000Z`;

/**
 * Counted out here, since `Date` loads all time zones for it, which is 1 MB of an edge's memory. Years have 146,097 days
 * in every four centuries and are best counted from March, with the leap day at their end.
 */
function dateAndTime(at: Instant): string {
  const day = Math.floor(at / 86_400_000);
  const inEra = modulo(day + 719_468, 146_097);
  const era = (day + 719_468 - inEra) / 146_097;
  const yearOfEra = Math.floor(
    (inEra - Math.floor(inEra / 1_460) + Math.floor(inEra / 36_524) - Math.floor(inEra / 146_096)) / 365,
  );
  const inYear = inEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const fromMarch = Math.floor((5 * inYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const inMonth = inYear - Math.floor((153 * fromMarch + 2) / 5) + 1;
  const second = Math.floor(modulo(at, 86_400_000) / 1_000);
  const time = [Math.floor(second / 3_600), Math.floor(second / 60) % 60, second % 60].map((n) => digits(n, 2));
  return `${digits(year, 4)}-${digits(month, 2)}-${digits(inMonth, 2)}T${time.join(':')}`;
}

const fraction = (at: Instant): string => digits(Math.floor(modulo(at, 1_000)), 3);
const modulo = (n: number, by: number): number => ((n % by) + by) % by;
const digits = (n: number, count: number): string => String(n).padStart(count, '0');

const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;

/** Reads a Kubernetes `Time` or `MicroTime`; undefined when it is neither. */
export function parseTime(text: string | undefined | null): Instant | undefined {
  // Date.parse alone takes many other forms, some of them as local time.
  if (!text || !rfc3339.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : (ms as Instant);
}

// Text is read and written in whole nanoseconds, as Go counts: floating point would lose the last digits.
const unitNs: Record<string, bigint> = {
  ns: 1n,
  us: 1_000n,
  // Both the micro sign and the Greek letter are in use.
  '\u00b5s': 1_000n,
  '\u03bcs': 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const part = String.raw`(\d*)\.?(\d*)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)`;
const wholeDuration = /^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h))+$/;
/** Go counts in 63 bits: a little over 292 years. */
const longestNs = 2n ** 63n - 1n;

/** Reads Go's duration text (`1h30m`, `10s`, `200ms`), as configuration files use it; undefined when it is none. */
export function parseDuration(text: string): Duration | undefined {
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return milliseconds(0);
  if (body.length > 100 || !wholeDuration.test(body)) return undefined;
  let ns = 0n;
  for (const [, whole, fraction, unit] of body.matchAll(new RegExp(part, 'g'))) {
    ns += (BigInt(`${whole}${fraction}`) * unitNs[unit!]!) / 10n ** BigInt(fraction!.length);
  }
  return ns > longestNs ? undefined : milliseconds(sign * (Number(ns / 1_000_000n) + Number(ns % 1_000_000n) / 1e6));
}

/** Writes Go's duration text, to the nanosecond. */
export function formatDuration(howLong: Duration): string {
  if (howLong < 0) return `-${formatDuration(milliseconds(-howLong))}`;
  const wholeMs = Math.floor(howLong);
  const ns = BigInt(wholeMs) * unitNs['ms']! + BigInt(Math.round((howLong - wholeMs) * 1e6));
  if (ns === 0n) return '0s';
  if (ns < unitNs['us']!) return `${ns}ns`;
  if (ns < unitNs['ms']!) return `${decimal(ns, 3)}\u00b5s`;
  if (ns < unitNs['s']!) return `${decimal(ns, 6)}ms`;
  const h = ns / unitNs['h']!;
  const m = (ns % unitNs['h']!) / unitNs['m']!;
  return `${h ? `${h}h` : ''}${h || m ? `${m}m` : ''}${decimal(ns % unitNs['m']!, 9)}s`;
}

/** A whole number with its point moved `places` to the left. */
function decimal(n: bigint, places: number): string {
  const digits = String(n).padStart(places + 1, '0');
  const fraction = digits.slice(-places).replace(/0+$/, '');
  return `${digits.slice(0, -places)}${fraction ? `.${fraction}` : ''}`;
}
