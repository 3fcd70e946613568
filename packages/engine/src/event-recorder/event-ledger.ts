// Decides what a new occurrence becomes: a first event, one more count on a known event, or nothing because its source
// talks too much. Pure but for its own memory, which is bounded.
import { type Duration, type Instant, minutes } from '@kedge/core/time';

export interface Occurrence {
  /** Identity of the object the event is about. */
  readonly about: string;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export type Verdict =
  | { readonly do: 'create' }
  /** The event under `name` has now happened `count` times since `first`. */
  | { readonly do: 'count'; readonly name: string; readonly count: number; readonly first: Instant }
  | { readonly do: 'drop' };

interface Known {
  name: string;
  count: number;
  first: Instant;
}

const maxKnown = 4_096;
/** Each object may cause this many events at once and earns a new one every five minutes, as kubelets do it. */
const burst = 25;
const earnEvery: Duration = minutes(5);

export class EventLedger {
  readonly #known = new Map<string, Known>();
  readonly #allowance = new Map<string, { tokens: number; at: Instant }>();

  judge(occurrence: Occurrence, now: Instant): Verdict {
    if (!this.#mayTalk(occurrence.about, now)) return { do: 'drop' };
    const known = this.#known.get(keyOf(occurrence));
    if (!known) return { do: 'create' };
    known.count += 1;
    return { do: 'count', name: known.name, count: known.count, first: known.first };
  }

  /** The event was written under this name. */
  written(occurrence: Occurrence, name: string, first: Instant): void {
    touch(this.#known, keyOf(occurrence), { name, count: 1, first });
  }

  /** The event is no longer there: its next occurrence is a first one. */
  forget(occurrence: Occurrence): void {
    this.#known.delete(keyOf(occurrence));
  }

  #mayTalk(about: string, now: Instant): boolean {
    const { tokens, at } = this.#allowance.get(about) ?? { tokens: burst, at: now };
    const earned = Math.min(burst, tokens + Math.max(0, now - at) / earnEvery);
    touch(this.#allowance, about, { tokens: earned >= 1 ? earned - 1 : earned, at: now });
    return earned >= 1;
  }
}

const keyOf = ({ about, type, reason, message }: Occurrence): string => `${about}\n${type}\n${reason}\n${message}`;

/** Sets and makes newest; the oldest goes when there are too many. */
function touch<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > maxKnown) map.delete(map.keys().next().value!);
}
