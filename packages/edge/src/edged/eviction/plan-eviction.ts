// Decides from what is left on the node whether it is under pressure, and whether something has to go now. Pure: the
// same readings and the same memory give the same verdict.
import { type Instant, plus } from '@kedge/core/time';
import {
  type EvictionSettings,
  type EvictionSignal,
  isBelow,
  isShort,
  type Pressure,
  pressureOf,
  type Readings,
  type Threshold,
} from './thresholds.ts';

/** What has to be remembered from one look to the next. */
export interface EvictionMemory {
  /** Since when each threshold has been met, by its place in the settings. */
  readonly metSince: ReadonlyMap<number, Instant>;
  /** When each pressure was last observed. */
  readonly lastSeen: ReadonlyMap<Pressure, Instant>;
  /** Thresholds that were met and whose reclaim is not complete. */
  readonly reclaiming: ReadonlySet<number>;
}

export const noEvictionMemory: EvictionMemory = { metSince: new Map(), lastSeen: new Map(), reclaiming: new Set() };

export interface EvictionVerdict {
  readonly memory: EvictionMemory;
  /** To be reported; stays for a while after the shortage has gone. */
  readonly pressures: ReadonlySet<Pressure>;
  /** The shortage to do something about now; memory before the rest, since there is no time. */
  readonly act: Threshold | undefined;
}

export function planEviction(
  settings: EvictionSettings,
  readings: Readings,
  before: EvictionMemory,
  now: Instant,
): EvictionVerdict {
  const metSince = new Map<number, Instant>();
  const reclaiming = new Set<number>();
  const due: Threshold[] = [];
  const lastSeen = new Map(before.lastSeen);
  settings.thresholds.forEach((threshold, place) => {
    const isMet = isBelow(threshold, readings) || (before.reclaiming.has(place) && isShort(threshold, readings));
    if (!isMet) return;
    // A clock that was set back must not make a soft threshold wait for ever.
    const since = earlier(before.metSince.get(place) ?? now, now);
    metSince.set(place, since);
    if (now - since < threshold.grace) return;
    reclaiming.add(place);
    lastSeen.set(pressureOf[threshold.signal], now);
    due.push(threshold);
  });
  const pressures = new Set<Pressure>();
  for (const [pressure, at] of lastSeen) {
    const isOver = now >= plus(at, settings.transitionPeriod) && at !== now;
    if (isOver || now < at) lastSeen.delete(pressure);
    else pressures.add(pressure);
  }
  const act = due.toSorted((a, b) => urgency[a.signal] - urgency[b.signal])[0];
  return { memory: { metSince, lastSeen, reclaiming }, pressures, act };
}

const urgency: Readonly<Record<EvictionSignal, number>> = {
  'memory.available': 0,
  'nodefs.available': 1,
  'nodefs.inodesFree': 2,
  'imagefs.available': 3,
  'imagefs.inodesFree': 4,
  'pid.available': 5,
};

const earlier = (a: Instant, b: Instant): Instant => (a < b ? a : b);
