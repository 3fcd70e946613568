// Errors come from tables: a code that is never reused, a sentence, and what a queue should do about it.
// Recognise an error by its code (`hubErrors.REFUSED.is(e)`), never by class or text.

/** What whoever tries again should do: wait and retry, or give up because retrying cannot help. */
export type Retry = 'backoff' | 'never';

export interface KedgeError extends Error {
  readonly code: string;
  readonly retry: Retry;
  readonly details: unknown;
}

export interface ErrorEntry<D> {
  (details: D, cause?: unknown): KedgeError & { readonly details: D };
  readonly code: string;
  readonly retry: Retry;
  is(error: unknown): error is KedgeError & { readonly details: D };
}

interface Definition {
  readonly retry: Retry;
  // oxlint-disable-next-line typescript/no-explicit-any -- the detail type is recovered per entry below
  readonly say: (details: any) => string;
}

type Table<T extends Record<string, Definition>> = {
  readonly [K in keyof T]: ErrorEntry<Parameters<T[K]['say']>[0]>;
};

/**
 * Makes the error table of one module. Codes are `<area>_<KEY>`; every table is listed in docs/errors.md.
 *
 *     export const hubErrors = defineErrors('HUB', {
 *       REFUSED: { retry: 'backoff', say: (d: { status: number }) => `cloud refused with HTTP ${d.status}` },
 *     });
 *     throw hubErrors.REFUSED({ status: 401 });
 */
export function defineErrors<T extends Record<string, Definition>>(area: string, definitions: T): Table<T> {
  const table: Record<string, unknown> = {};
  for (const [key, { retry, say }] of Object.entries(definitions)) {
    const code = `${area}_${key}`;
    const create = (details: unknown, cause?: unknown) =>
      Object.assign(new Error(`[${code}] ${say(details)}`, cause === undefined ? undefined : { cause }), {
        name: 'KedgeError',
        code,
        retry,
        details,
      });
    table[key] = Object.assign(create, { code, retry, is: (error: unknown) => codeOf(error) === code });
  }
  return table as Table<T>;
}

/** The code of an error from a table; undefined for every other value. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { name, code } = error as Error & { code?: unknown };
  return name === 'KedgeError' && typeof code === 'string' ? code : undefined;
}

/** What a queue should do with a failure; anything not from a table is worth another try. */
export const retryOf = (error: unknown): Retry =>
  codeOf(error) === undefined ? 'backoff' : (error as KedgeError).retry;

/** One line for people: the message and, after a colon each, the messages of its causes that add something. */
export function explain(error: unknown): string {
  const parts: string[] = [];
  let at: unknown = error;
  for (let depth = 0; at !== undefined && depth < 5; depth++) {
    const say = at instanceof Error ? at.message || at.name : String(at);
    if (!parts.some((part) => part.includes(say))) parts.push(say);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(': ');
}

/** The failure of something that was cancelled, as opposed to one that went wrong. */
export const isAbort = (error: unknown, signal: AbortSignal): boolean => signal.aborted && error !== undefined;
