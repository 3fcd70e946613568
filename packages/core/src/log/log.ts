// Structured logging: a constant sentence in lower case plus known fields, so that one query finds a pod on both sides.
import { type Instant, toMilliTime } from '../time/index.ts';

/** Every field a log line may carry. Add here first: a field has one spelling in the whole system. */
export type LogField =
  | 'address'
  | 'attempt'
  | 'bytes'
  | 'channel'
  | 'code'
  | 'component'
  | 'container'
  | 'count'
  | 'device'
  | 'err'
  | 'from'
  | 'group'
  | 'image'
  | 'key'
  | 'kind'
  | 'limit'
  | 'method'
  | 'module'
  | 'msg'
  | 'name'
  | 'namespace'
  | 'node'
  | 'operation'
  | 'parent'
  | 'path'
  | 'pid'
  | 'pod'
  | 'port'
  | 'reason'
  | 'resource'
  | 'retryInMs'
  | 'revision'
  | 'status'
  | 'task'
  | 'to'
  | 'tookMs'
  | 'uid'
  | 'url'
  | 'user'
  | 'verb'
  | 'version';

export type LogFields = { readonly [K in LogField]?: unknown };
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export interface Log {
  /** Someone must act. */
  error(sentence: string, fields?: LogFields): void;
  /** We coped, but it is not normal. */
  warn(sentence: string, fields?: LogFields): void;
  /** A state changed. */
  info(sentence: string, fields?: LogFields): void;
  debug(sentence: string, fields?: LogFields): void;
  /** A log that adds `fields` to every line. */
  child(fields: LogFields): Log;
}

export interface LogRecord {
  readonly at: Instant;
  readonly level: LogLevel;
  readonly sentence: string;
  readonly fields: LogFields;
}

const rank: Record<LogLevel, number> = { debug: 0, info: 1, warn: 2, error: 3 };

/** A log that hands each record at or above `level` to `write`. */
export function createLog(
  deps: { now: () => Instant; write: (record: LogRecord) => void; level: LogLevel },
  fields: LogFields = {},
): Log {
  const at = (level: LogLevel) => (sentence: string, more?: LogFields) => {
    if (rank[level] < rank[deps.level]) return;
    deps.write({ at: deps.now(), level, sentence, fields: more ? { ...fields, ...more } : fields });
  };
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    child: (more) => createLog(deps, { ...fields, ...more }),
  };
}

/** One JSON object on one line; errors become their message and code, never a stack unless it is a defect. */
export function formatRecord(record: LogRecord): string {
  const line: Record<string, unknown> = {
    time: toMilliTime(record.at),
    level: record.level,
    say: record.sentence,
  };
  for (const [name, value] of Object.entries(record.fields)) line[name] = toPlain(value);
  try {
    return JSON.stringify(line);
  } catch {
    // A cycle or a bigint: the line is worth more than the shape of its fields.
    return JSON.stringify(Object.fromEntries(Object.entries(line).map(([name, value]) => [name, String(value)])));
  }
}

/** Causes deeper than this are left out; a cause may even be its own. */
const deepestCause = 8;

function toPlain(value: unknown, depth = 0): unknown {
  if (!(value instanceof Error)) return value;
  const coded = (value as Error & { code?: unknown }).code !== undefined;
  const programming = value instanceof TypeError || value instanceof ReferenceError || value instanceof RangeError;
  const text = programming && !coded ? (value.stack ?? value.message) : value.message;
  return value.cause === undefined || depth === deepestCause
    ? text
    : `${text}: ${String(toPlain(value.cause, depth + 1))}`;
}

/** A value that must not reach a log or an error text; `reveal()` is easy to find in a review. */
export interface Secret<T> {
  reveal(): T;
  toString(): string;
  toJSON(): string;
}

export const secret = <T>(value: T): Secret<T> => ({
  reveal: () => value,
  toString: () => '***',
  toJSON: () => '***',
});

/** Swallows everything; for code that is handed no log. */
export const silentLog: Log = {
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
  debug: () => undefined,
  child: () => silentLog,
};
