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
export const toTime = (at: Instant): string => new Date(at).toISOString().replace(/\.\d{3}Z$/, 'Z');

/** RFC 3339 in UTC with microseconds, the form of Kubernetes `MicroTime` fields. */
export const toMicroTime = (at: Instant): string => new Date(at).toISOString().replace('Z', '000Z');

/** Reads a Kubernetes `Time` or `MicroTime`; undefined when it is neither. */
export function parseTime(text: string | undefined | null): Instant | undefined {
  if (!text) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : (ms as Instant);
}

const unitMs: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** Reads Go's duration text (`1h30m`, `10s`, `200ms`), as configuration files use it; undefined when it is none. */
export function parseDuration(text: string): Duration | undefined {
  if (text === '0') return milliseconds(0);
  const sign = text.startsWith('-') ? -1 : 1;
  const body = text.replace(/^[+-]/, '');
  if (!/^(?:\d+(?:\.\d*)?(?:ns|us|µs|ms|s|m|h))+$/.test(body)) return undefined;
  let total = 0;
  for (const [, amount, unit] of body.matchAll(/(\d+(?:\.\d*)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(amount) * unitMs[unit!]!;
  }
  return milliseconds(sign * total);
}

/** Writes Go's duration text. */
export function formatDuration(howLong: Duration): string {
  if (howLong === 0) return '0s';
  if (howLong < 1_000) return `${howLong}ms`;
  let rest = Math.round(howLong / 1_000);
  const h = Math.floor(rest / 3_600);
  rest -= h * 3_600;
  const m = Math.floor(rest / 60);
  const s = rest - m * 60;
  return `${h ? `${h}h` : ''}${h || m ? `${m}m` : ''}${s}s`;
}
