// When a cron expression is due, in a time zone. Pure. The dialect is the one that Kubernetes documents: five fields,
// names of months and days, steps, `@hourly` and the like; a day matches when either of two restricted day fields does.
import { type Instant, instant, parseDuration, plus, toTime } from '@kedge/core/time';

export interface CronSchedule {
  /** The first time after `at`; undefined when there is none within five years. */
  next(at: Instant): Instant | undefined;
}

interface Fields {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly days: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly weekdays: ReadonlySet<number>;
  /** Both day fields are restricted: either will do. */
  readonly anyDay: boolean;
}

const named: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const monthNames = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const dayNames = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const maxYears = 5;

/** Undefined when the text is no schedule, or the zone is unknown here. */
export function parseSchedule(text: string, timeZone = 'UTC'): CronSchedule | undefined {
  const [, period] = /^@every\s+(\S+)$/.exec(text.trim()) ?? [];
  if (period !== undefined) return parsePeriod(period);
  const fields = parseFields(named[text.trim()] ?? text.trim());
  const wallTime = openZone(timeZone);
  return fields && wallTime ? { next: (at) => nextMatch(fields, wallTime, at) } : undefined;
}

function parsePeriod(text: string): CronSchedule | undefined {
  const period = parseDuration(text);
  if (period === undefined || period < 1_000) return undefined;
  return { next: (at) => instant(Math.floor((at + period) / 1_000) * 1_000) };
}

function parseFields(text: string): Fields | undefined {
  const parts = text.split(/\s+/);
  if (parts.length !== 5) return undefined;
  const [minutes, hours, days, months, weekdays] = [
    parseField(parts[0]!, 0, 59),
    parseField(parts[1]!, 0, 23),
    parseField(parts[2]!, 1, 31),
    parseField(parts[3]!, 1, 12, monthNames),
    parseField(parts[4]!, 0, 6, dayNames),
  ];
  if (!minutes || !hours || !days || !months || !weekdays) return undefined;
  const isRestricted = (field: string): boolean => !/^[*?]/.test(field);
  return { minutes, hours, days, months, weekdays, anyDay: isRestricted(parts[2]!) && isRestricted(parts[4]!) };
}

function parseField(text: string, min: number, max: number, names: readonly string[] = []): Set<number> | undefined {
  const values = new Set<number>();
  const valueOf = (word: string): number => {
    const at = names.indexOf(word.toLowerCase());
    return at >= 0 ? at + min : /^\d{1,2}$/.test(word) ? Number(word) : Number.NaN;
  };
  for (const part of text.split(',')) {
    const [, range = '', step] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(part) ?? [];
    const [from = '', to] = range.split('-');
    const isAll = range === '*' || range === '?';
    const first = isAll ? min : valueOf(from);
    // `5/15` means from five on.
    const last = isAll || (to === undefined && step !== undefined) ? max : to === undefined ? first : valueOf(to);
    const by = step === undefined ? 1 : Number(step);
    if (!(first >= min && last <= max && first <= last && by > 0)) return undefined;
    for (let value = first; value <= last; value += by) values.add(value);
  }
  return values;
}

/** The time as the zone's clocks show it, with how far they are from UTC: `2026-07-01T09:00:00-04:00`. */
export function toZonedTime(at: Instant, timeZone = 'UTC'): string {
  const offset = openZone(timeZone)?.(at) ?? 0;
  if (offset === 0) return toTime(at);
  const minutesOff = Math.round(Math.abs(offset) / 60_000);
  const two = (number: number): string => String(number).padStart(2, '0');
  const sign = offset < 0 ? '-' : '+';
  const wall = toTime(instant(at + offset)).replace('Z', '');
  return `${wall}${sign}${two(Math.floor(minutesOff / 60))}:${two(minutesOff % 60)}`;
}

/** Milliseconds that the zone's clocks are ahead of UTC. */
type ZoneOffset = (at: number) => number;

function openZone(timeZone: string): ZoneOffset | undefined {
  if (timeZone === 'UTC' || timeZone === 'Etc/UTC') return () => 0;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    return undefined;
  }
  return (at) => {
    const parts = Object.fromEntries(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(at / 1_000) * 1_000;
  };
}

/**
 * Walks over the zone's calendar, skipping whole months, days and hours that do not match. A time that a zone leaves out
 * in spring is not made up for; one that it has twice in autumn counts the first time it comes.
 */
function nextMatch(fields: Fields, offsetAt: ZoneOffset, after: Instant): Instant | undefined {
  const wall = new Date(Math.floor((after + offsetAt(after)) / 60_000) * 60_000 + 60_000);
  const lastYear = wall.getUTCFullYear() + maxYears;
  while (wall.getUTCFullYear() <= lastYear) {
    if (!fields.months.has(wall.getUTCMonth() + 1)) {
      wall.setUTCMonth(wall.getUTCMonth() + 1, 1);
      wall.setUTCHours(0, 0);
    } else if (!isDay(fields, wall)) {
      wall.setUTCDate(wall.getUTCDate() + 1);
      wall.setUTCHours(0, 0);
    } else if (!fields.hours.has(wall.getUTCHours())) {
      wall.setUTCHours(wall.getUTCHours() + 1, 0);
    } else if (!fields.minutes.has(wall.getUTCMinutes())) {
      wall.setUTCMinutes(wall.getUTCMinutes() + 1);
    } else {
      const at = atWall(wall.getTime(), offsetAt);
      if (at !== undefined && at > after) return at;
      wall.setUTCMinutes(wall.getUTCMinutes() + 1);
    }
  }
  return undefined;
}

function isDay({ days, weekdays, anyDay }: Fields, wall: Date): boolean {
  const byDate = days.has(wall.getUTCDate());
  const byWeekday = weekdays.has(wall.getUTCDay());
  return anyDay ? byDate || byWeekday : byDate && byWeekday;
}

/** The instant at which the zone's clocks show this; undefined when they never do. */
function atWall(wall: number, offsetAt: ZoneOffset): Instant | undefined {
  const guesses = [offsetAt(wall - 86_400_000), offsetAt(wall + 86_400_000)].map((offset) => wall - offset);
  const real = guesses.filter((at) => at + offsetAt(at) === wall).sort((a, b) => a - b);
  return real[0] === undefined ? undefined : instant(real[0]);
}

/** More missed times than this are not counted one by one. */
const maxMissed = 100;

export interface DueTimes {
  /** The latest time that is due. */
  readonly latest: Instant | undefined;
  readonly missed: number | 'many';
}

/** What is due between two moments, `since` excluded and `now` included. */
export function dueTimes(schedule: CronSchedule, since: Instant, now: Instant): DueTimes {
  let latest: Instant | undefined;
  let missed = 0;
  for (let at = schedule.next(since); at !== undefined && at <= now; at = schedule.next(at)) {
    latest = at;
    missed += 1;
    // Half of what is left at a time: the last one is found in few steps however long the schedule was not looked at.
    while (missed > maxMissed && now - at > 120_000) {
      const ahead = schedule.next(plus(at, ((now - at) / 2) as never));
      if (ahead === undefined || ahead > now) break;
      latest = at = ahead;
    }
  }
  return { latest, missed: missed > maxMissed ? 'many' : missed };
}
