// What MQTT clients send, read and checked. Clients are strangers: whatever they send, the answer is a value. Pure.
import { parseDuration } from '@kedge/core/time';
import type { Twin } from '@kedge/model/messages';

/** One property as DeviceTwin takes it. */
export interface TwinReport {
  readonly property: string;
  readonly reported?: string;
  readonly observedDesired?: string;
  readonly isWish?: true;
  readonly type?: string;
  readonly optional?: boolean;
  readonly removed?: true;
  readonly duplicate: false;
}

export type Code = 400 | 404 | 500;

export type Read<T> =
  | { readonly ok: true; readonly event: string; readonly value: T }
  | { readonly ok: false; readonly event: string; readonly code: Code; readonly reason: string };

/** What a client wants of one property; null: it is to go. */
export type Wanted = {
  readonly expected?: string;
  readonly actual?: string;
  readonly type?: string;
  readonly optional?: boolean;
} | null;

export const maxRequestBytes = 1 << 20;
const maxValueBytes = 4_096;
const maxTwins = 1_000;
const keyRule = /^[a-zA-Z0-9\-_.,:/@#]{1,128}$/;
const states = new Set(['online', 'offline', 'ok', 'unknown', 'unhealthy']);

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const eventOf = (body: unknown): string =>
  isFields(body) && typeof body['event_id'] === 'string' ? body['event_id'].slice(0, 256) : '';

const badUpdate = 'Unmarshal update request body failed, please check the request';
const badRequest = 'Unmarshal request body failed, please check the request';

function parse(payload: Uint8Array): Fields | undefined {
  if (payload.length > maxRequestBytes) return undefined;
  try {
    const body: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return isFields(body) ? body : undefined;
  } catch {
    return undefined;
  }
}

/** A question without particulars: a twin/get or membership/get. */
export function readQuestion(payload: Uint8Array): Read<undefined> {
  const body = parse(payload);
  if (!body) return { ok: false, event: '', code: 400, reason: badRequest };
  return { ok: true, event: eventOf(body), value: undefined };
}

export function readState(payload: Uint8Array): Read<string> {
  const body = parse(payload);
  if (!body) return { ok: false, event: '', code: 400, reason: badRequest };
  const { state } = body;
  const event = eventOf(body);
  if (typeof state === 'string' && states.has(state.toLowerCase())) return { ok: true, event, value: state };
  const said = typeof state === 'string' ? quote(state) : 'missing';
  return { ok: false, event, code: 400, reason: `The state is ${said}, needs one of ${[...states].join(', ')}` };
}

export interface HistoryQuestion {
  readonly property?: string | undefined;
  /** Unix milliseconds. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly limit: number;
}

const usualSamples = 100;
const mostSamples = 1_000;

/** `last` is a duration such as "10m", counted back from `now`. */
export function readHistoryQuestion(payload: Uint8Array, now: number): Read<HistoryQuestion> {
  const body = parse(payload);
  if (!body) return { ok: false, event: '', code: 400, reason: badRequest };
  const event = eventOf(body);
  const refuse = (reason: string): Read<never> => ({ ok: false, event, code: 400, reason });
  const { property, last, since, until, limit = usualSamples } = body;
  if (!isAbsentOr('string', property)) return refuse('property needs a text');
  const span = typeof last === 'string' ? parseDuration(last) : undefined;
  if (!isAbsent(last) && (span === undefined || span <= 0)) return refuse('last needs a duration such as "10m"');
  for (const [key, value] of Object.entries({ since, until })) {
    if (!isAbsent(value) && !Number.isSafeInteger(value)) return refuse(`${key} needs Unix milliseconds`);
  }
  if (!Number.isSafeInteger(limit) || (limit as number) < 1) return refuse('limit needs a number of samples');
  return {
    ok: true,
    event,
    value: {
      property: property as string | undefined,
      since: span === undefined ? ((since ?? undefined) as number | undefined) : now - span,
      until: (until ?? undefined) as number | undefined,
      limit: Math.min(limit as number, mostSamples),
    },
  };
}

export function readTwinUpdate(payload: Uint8Array): Read<ReadonlyMap<string, Wanted>> {
  const body = parse(payload);
  const event = eventOf(body);
  const refuse = (reason: string): Read<never> => ({ ok: false, event, code: 400, reason });
  if (!body) return refuse(badUpdate);
  const { twin } = body;
  if (twin === undefined || twin === null) return refuse('Update twin error, key:twin does not exist');
  if (!isFields(twin)) return refuse(badUpdate);
  const wanted = new Map<string, Wanted>();
  for (const [key, value] of Object.entries(twin)) {
    if (!keyRule.test(key)) {
      return refuse(`The name of a twin has 1 to 128 letters, digits or -_.,:/@#, and ${quote(key)} has not`);
    }
    const one = readWanted(value);
    if (one === undefined) return refuse(badUpdate);
    for (const text of [one?.expected, one?.actual]) {
      const bytes = new TextEncoder().encode(text ?? '').length;
      if (bytes > maxValueBytes) return refuse(`The value of twin ${key} has ${bytes} bytes, over ${maxValueBytes}`);
    }
    wanted.set(key, one);
  }
  return { ok: true, event, value: wanted };
}

/** Undefined: it has not the form of a twin. */
function readWanted(value: unknown): Wanted | undefined {
  if (value === null) return null;
  if (!isFields(value)) return undefined;
  const sides = [readSide(value['expected']), readSide(value['actual'])];
  const [expected, actual] = sides.map((side) => (side.ok ? side.value : undefined));
  const { optional, metadata } = value;
  const type = isFields(metadata) ? metadata['type'] : undefined;
  const isWell =
    sides.every(({ ok }) => ok) &&
    isAbsentOr('boolean', optional) &&
    (isAbsent(metadata) || isFields(metadata)) &&
    isAbsentOr('string', type);
  if (!isWell) return undefined;
  return {
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
    ...(typeof type === 'string' && type !== '' ? { type } : {}),
    ...(typeof optional === 'boolean' ? { optional } : {}),
  };
}

function readSide(side: unknown): { readonly ok: boolean; readonly value?: string } {
  if (isAbsent(side)) return { ok: true };
  if (!isFields(side)) return { ok: false };
  const { value, metadata } = side;
  const timestamp = isFields(metadata) ? metadata['timestamp'] : undefined;
  // As in the Go types: a time stamp that is text is an error, the time stamp itself is not used.
  const isWell =
    isAbsentOr('string', value) &&
    (isAbsent(metadata) || isFields(metadata)) &&
    (isAbsent(timestamp) || Number.isSafeInteger(timestamp));
  return isWell ? { ok: true, ...(typeof value === 'string' ? { value } : {}) } : { ok: false };
}

const isAbsent = (value: unknown): boolean => value === undefined || value === null;
const isAbsentOr = (type: 'string' | 'boolean', value: unknown): boolean => isAbsent(value) || typeof value === type;
const quote = (text: string): string => JSON.stringify(text.slice(0, 128));

/** What DeviceTwin is to be told; a sentence when a value does not fit the type of its twin. */
export function planReports(
  wanted: ReadonlyMap<string, Wanted>,
  stored: Readonly<Record<string, Twin>>,
): readonly TwinReport[] | string {
  const reports: TwinReport[] = [];
  let count = Object.keys(stored).length;
  for (const [property, want] of wanted) {
    const known = Object.hasOwn(stored, property) ? stored[property] : undefined;
    if (want === null) {
      if (known) reports.push({ property, removed: true, duplicate: false });
      continue;
    }
    if (!known && (count += 1) > maxTwins) return `A device has at most ${maxTwins} twins`;
    const type = known ? (known.metadata?.type ?? 'string') : (want.type ?? 'string');
    for (const value of [want.expected, want.actual]) {
      const wrong = value === undefined || value === '' ? undefined : checkType(type, value);
      if (wrong !== undefined) return `twin ${property}: ${wrong}`;
    }
    const { expected, actual, optional } = want;
    reports.push({
      property,
      duplicate: false,
      ...(actual === undefined ? {} : { reported: actual }),
      ...(expected === undefined ? {} : { observedDesired: expected, isWish: true as const }),
      ...(known ? {} : { type }),
      ...(optional === undefined ? {} : { optional }),
    });
  }
  return reports;
}

const integerRule = /^[+-]?\d{1,19}$/;
const floatRule = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$|^[+-]?(?:inf|infinity|nan)$/i;
const [smallest, largest] = [-(2n ** 63n), 2n ** 63n - 1n];

function checkType(type: string, value: string): string | undefined {
  switch (type) {
    case '':
    case 'string':
    case 'deleted':
      return undefined;
    case 'int':
    case 'integer': {
      const number = integerRule.test(value) ? BigInt(value.replace(/^\+/, '')) : undefined;
      return number !== undefined && number >= smallest && number <= largest ? undefined : 'the value is not int';
    }
    case 'float':
      return floatRule.test(value) ? undefined : 'the value is not float';
    case 'boolean':
      return value === 'true' || value === 'false' ? undefined : 'the bool value must be true or false';
    default:
      return 'the value type is not allowed';
  }
}
