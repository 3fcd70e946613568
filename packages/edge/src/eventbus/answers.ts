// The documents that MQTT clients get. Spelling and order are KubeEdge's; versions stay between edge and cloud. Pure.
import type { Twin } from '@kedge/model/messages';
import type { History, TwinChange } from './ports.ts';

type Twins = Readonly<Record<string, Twin>>;
type Changes = Readonly<Record<string, TwinChange>>;

function shown(twin: Twin | null): Twin | null {
  if (!twin) return null;
  const { expected, actual, optional, metadata } = twin;
  return {
    ...(expected === undefined ? {} : { expected }),
    ...(actual === undefined ? {} : { actual }),
    ...(optional === undefined ? {} : { optional }),
    ...(metadata === undefined ? {} : { metadata }),
  };
}

const mapValues = <A, B>(of: Readonly<Record<string, A>>, as: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(of).map(([key, value]) => [key, as(value)]));

export const twinAnswer = (event: string, at: number, twins: Twins) => ({
  event_id: event,
  timestamp: at,
  twin: mapValues(twins, shown),
});

export const errorAnswer = (event: string, at: number, code: number, reason: string) => ({
  event_id: event,
  timestamp: at,
  code,
  reason,
});

export const updateResult = (event: string, at: number, changes: Changes) => ({
  event_id: event,
  timestamp: at,
  twin: mapValues(changes, ({ current }) => shown(current)),
});

export const updateDocument = (event: string, at: number, changes: Changes) => ({
  event_id: event,
  timestamp: at,
  twin: mapValues(changes, ({ last, current }) => ({ last: shown(last), current: shown(current) })),
});

/** What one message may have of it; the oldest samples make room. */
const mostHistoryBytes = 512 << 10;

export function historyAnswer(event: string, at: number, history: History) {
  const samples = Object.entries(history).flatMap(([property, of]) => of.map((sample) => ({ property, ...sample })));
  let bytes = 0;
  const kept = new Set<object>();
  for (const sample of samples.toSorted((a, b) => b.at - a.at)) {
    bytes += sample.value.length * 3 + 64;
    if (bytes > mostHistoryBytes) break;
    kept.add(sample);
  }
  const shownOf = (name: string) =>
    samples
      .filter((sample) => sample.property === name && kept.has(sample))
      .map(({ at: timestamp, value }) => ({ timestamp, value }));
  return {
    event_id: event,
    timestamp: at,
    history: Object.fromEntries(Object.keys(history).map((name) => [name, shownOf(name)])),
    ...(kept.size < samples.length ? { truncated: true } : {}),
  };
}

/** Undefined: every twin is as it should be. */
export function updateDelta(event: string, at: number, twins: Twins) {
  const wanted = Object.entries(twins).filter(([, { expected }]) => (expected?.value ?? '') !== '');
  const differing = wanted.filter(([, { expected, actual }]) => expected?.value !== actual?.value);
  if (differing.length === 0) return undefined;
  return {
    event_id: event,
    timestamp: at,
    twin: mapValues(Object.fromEntries(wanted), shown),
    delta: Object.fromEntries(differing.map(([property, { expected }]) => [property, expected?.value ?? ''])),
  };
}
