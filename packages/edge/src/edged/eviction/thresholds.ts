// When a node counts as short of something. Source: the kubelet's eviction signals and thresholds
// (kubelet.config.k8s.io/v1beta1: evictionHard, evictionSoft, evictionSoftGracePeriod, evictionMinimumReclaim).
import type { Duration } from '@kedge/core/time';

/** What is watched, each as "so much is left". */
export const evictionSignals = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;
export type EvictionSignal = (typeof evictionSignals)[number];

/** The three pressures a node can report. */
export type Pressure = 'memory' | 'disk' | 'pid';

export const pressureOf: Readonly<Record<EvictionSignal, Pressure>> = {
  'memory.available': 'memory',
  'nodefs.available': 'disk',
  'nodefs.inodesFree': 'disk',
  'imagefs.available': 'disk',
  'imagefs.inodesFree': 'disk',
  'pid.available': 'pid',
};

/** What users know the thing by that runs out. */
export const resourceOf: Readonly<Record<EvictionSignal, string>> = {
  'memory.available': 'memory',
  'nodefs.available': 'ephemeral-storage',
  'nodefs.inodesFree': 'inodes',
  'imagefs.available': 'ephemeral-storage',
  'imagefs.inodesFree': 'inodes',
  'pid.available': 'pids',
};

/** So many units, or a share of the capacity. */
export type Amount = { readonly units: number } | { readonly share: number };

export interface Threshold {
  readonly signal: EvictionSignal;
  /** Less than this is too little. */
  readonly below: Amount;
  /** As written, for messages. */
  readonly written: string;
  /** How long it has to last; zero for a hard threshold. */
  readonly grace: Duration;
  /** So much more than the threshold has to be free again before reclaiming ends. */
  readonly reclaim: Amount | undefined;
}

export interface EvictionSettings {
  readonly thresholds: readonly Threshold[];
  /** How long a pressure is still reported after it has gone. */
  readonly transitionPeriod: Duration;
  /** Upper limit for the grace of a pod that is evicted for a soft threshold, in seconds. */
  readonly maxPodGraceSeconds: number;
}

export interface Reading {
  readonly available: number;
  readonly capacity: number;
}

/** A signal that cannot be read is absent and meets no threshold. */
export type Readings = ReadonlyMap<EvictionSignal, Reading>;

export const unitsOf = (amount: Amount, capacity: number): number =>
  'units' in amount ? amount.units : Math.floor(amount.share * capacity);

export const isBelow = ({ signal, below }: Threshold, readings: Readings): boolean => {
  const reading = readings.get(signal);
  return reading !== undefined && reading.available < unitsOf(below, reading.capacity);
};

/** Still short: under the threshold, or over it by less than is to be reclaimed. */
export const isShort = ({ signal, below, reclaim }: Threshold, readings: Readings): boolean => {
  const reading = readings.get(signal);
  if (reading === undefined) return false;
  const more = reclaim ? unitsOf(reclaim, reading.capacity) : 0;
  return reading.available < unitsOf(below, reading.capacity) + more;
};
