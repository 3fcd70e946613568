// Asks the mapper of this machine that has a device, over the REST API that KubeEdge's mapper framework has: a method is
// called, or a property is read from the device now.
import { explain } from '@kedge/core/errors';
import type { HttpClient } from '@kedge/core/ports';
import { type Duration, milliseconds, seconds } from '@kedge/core/time';

export type Question =
  | { readonly do: 'call'; readonly method: string; readonly property: string; readonly value: string }
  | { readonly do: 'read'; readonly property: string };

export interface Asked {
  readonly namespace: string;
  readonly device: string;
  readonly question: Question;
  readonly address: string;
  /** Mappers are looked for at these, in this order. */
  readonly ports: readonly number[];
  /** For the answer of the device. */
  readonly timeout: Duration;
  /** Over HTTPS. */
  readonly isSecure: boolean;
}

/** One line of JSON in the log of a pod. */
export interface MapperAnswer {
  /** `namespace/name`. */
  readonly device: string;
  readonly say: string;
  /** What was read; what a method returned, if anything. */
  readonly value?: string | undefined;
  readonly type?: string | undefined;
  /** Unix milliseconds, of what was read. */
  readonly at?: number | undefined;
}

const lookLimit = seconds(5);
const longestSaid = 1_000;

/** `open` makes a client with connections of its own: what is not merely read must not be sent twice. */
export async function askMapper(asked: Asked, open: () => HttpClient, signal: AbortSignal): Promise<MapperAnswer> {
  const { namespace, device, question, timeout } = asked;
  const base = await findMapper(asked, open, signal);
  const words =
    question.do === 'call'
      ? ['devicemethod', namespace, device, question.method, question.property, question.value]
      : ['device', namespace, device, question.property];
  const { status, body } = await get(`${base}/${words.map(encodeURIComponent).join('/')}`, timeout, open, signal);
  if (status !== 200) throw new Error(`the mapper says: ${sayOf(body) || `HTTP ${status}`}`);
  const { Message, Data } = readJson(body) as { Message?: unknown; Data?: unknown };
  const name = `${namespace}/${device}`;
  if (question.do === 'call') {
    const value = typeof Data === 'string' ? Data : undefined;
    const say = typeof Message === 'string' ? Message : `method "${question.method}" of device ${name} was called`;
    return { device: name, say, ...(value === undefined ? {} : { value }) };
  }
  const { Value, Type, TimeStamp } = (Data ?? {}) as { Value?: unknown; Type?: unknown; TimeStamp?: unknown };
  return {
    device: name,
    say: `property "${question.property}" of device ${name} was read`,
    value: String(Value),
    ...(typeof Type === 'string' ? { type: Type } : {}),
    ...(typeof TimeStamp === 'number' ? { at: TimeStamp } : {}),
  };
}

async function findMapper(
  { namespace, device, address, ports, isSecure }: Asked,
  open: () => HttpClient,
  signal: AbortSignal,
): Promise<string> {
  const found: string[] = [];
  for (const port of ports) {
    const base = `${isSecure ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}/api/v1`;
    const path = `devicemethod/${encodeURIComponent(namespace)}/${encodeURIComponent(device)}`;
    try {
      const { status, body } = await get(`${base}/${path}`, lookLimit, open, signal);
      if (status === 200) return base;
      found.push(`${port}: ${sayOf(body) || `HTTP ${status}`}`);
    } catch (error) {
      signal.throwIfAborted();
      found.push(`${port}: ${explain(error)}`);
    }
  }
  throw new Error(
    `no mapper on ${address} has device ${namespace}/${device} (${found.join('; ')}): --port names that of its REST API, ` +
      `which is common.http_port in the configuration of the mapper; ${isSecure ? 'it was asked over HTTPS' : 'one with HTTPS needs --ca'}`,
  );
}

async function get(
  url: string,
  timeout: Duration,
  open: () => HttpClient,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  const client = open();
  const inTime = AbortSignal.timeout(Math.max(timeout, milliseconds(1)));
  try {
    const response = await client.request({ method: 'GET', url, signal: AbortSignal.any([signal, inTime]) });
    return { status: response.status, body: await response.text() };
  } catch (error) {
    signal.throwIfAborted();
    if (!inTime.aborted) throw error;
    throw new Error(`there was no answer within ${timeout / 1_000} s; whether the device did it is unknown`, {
      cause: error,
    });
  } finally {
    await client.close();
  }
}

/** A text of a stranger, for a terminal. */
const sayOf = (body: string): string =>
  body
    .trim()
    .slice(0, longestSaid)
    .replaceAll(/\p{Cc}+/gu, ' ');

function readJson(body: string): object {
  try {
    const read = JSON.parse(body) as unknown;
    if (typeof read === 'object' && read !== null) return read;
  } catch {
    // As below.
  }
  throw new Error(`what answered is no mapper: ${sayOf(body)}`);
}

/** What a pod wrote: the answer, and what else it had to say. */
export function readAnswer(log: string): {
  readonly answer: MapperAnswer | undefined;
  readonly rest: readonly string[];
} {
  let answer: MapperAnswer | undefined;
  const rest: string[] = [];
  for (const line of log.split('\n')) {
    const one = answerOf(line);
    if (one) answer = one;
    else if (line.trim() !== '') rest.push(line);
  }
  return { answer, rest };
}

function answerOf(line: string): MapperAnswer | undefined {
  if (!line.startsWith('{"device":')) return undefined;
  try {
    const one = JSON.parse(line) as Partial<MapperAnswer>;
    return typeof one.device === 'string' && typeof one.say === 'string' ? (one as MapperAnswer) : undefined;
  } catch {
    return undefined;
  }
}
