// Reads the kubelet's eviction keys: thresholds such as `memory.available: 100Mi` and `nodefs.available: 10%`, with their
// grace periods and minimum reclaims. Source: kubelet.config.k8s.io/v1beta1.
import type { Problem } from '@kedge/core/config';
import { type Duration, parseDuration, seconds } from '@kedge/core/time';
import { parseQuantity, quantityUnits } from '../k8s-quantity/index.ts';

const signals = [
  'memory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'pid.available',
] as const;
type Signal = (typeof signals)[number];

/** So many units, or a share of the capacity. */
type Amount = { readonly units: number } | { readonly share: number };

export interface EvictionThreshold {
  readonly signal: Signal;
  readonly below: Amount;
  readonly written: string;
  readonly grace: Duration;
  readonly reclaim: Amount | undefined;
}

export interface EvictionSettings {
  readonly thresholds: readonly EvictionThreshold[];
  readonly transitionPeriod: Duration;
  readonly maxPodGraceSeconds: number;
}

/** The keys as they are written. */
export interface EvictionKeys {
  readonly evictionHard: Readonly<Record<string, string>>;
  readonly evictionSoft: Readonly<Record<string, string>>;
  readonly evictionSoftGracePeriod: Readonly<Record<string, string>>;
  readonly evictionMinimumReclaim: Readonly<Record<string, string>>;
  readonly evictionPressureTransitionPeriod: string;
  readonly evictionMaxPodGracePeriod: number;
}

/** `10%` or a quantity; undefined when it is neither, or negative. */
function parseAmount(text: string): Amount | undefined {
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent !== undefined) return Number(percent) <= 100 ? { share: Number(percent) / 100 } : undefined;
  const parsed = parseQuantity(text);
  const units = parsed && Number(quantityUnits(parsed));
  return units !== undefined && units >= 0 ? { units } : undefined;
}

const isSignal = (name: string): name is Signal => (signals as readonly string[]).includes(name);
/** Known to the kubelet and without a meaning here: no pod has a cgroup of all pods' memory to itself. */
const isIgnored = (name: string): boolean => name === 'allocatableMemory.available' || name.startsWith('containerfs.');

export function checkEviction(keys: EvictionKeys, path: string): Problem[] {
  const problems: Problem[] = [];
  const amounts = ['evictionHard', 'evictionSoft', 'evictionMinimumReclaim'] as const;
  for (const key of amounts) {
    for (const [signal, text] of Object.entries(keys[key])) {
      const at = `${path}.${key}.${signal}`;
      if (isIgnored(signal)) continue;
      if (!isSignal(signal)) problems.push({ path: at, say: `is not a signal; there are ${signals.join(', ')}` });
      else if (!parseAmount(text)) {
        problems.push({ path: at, say: `is "${text}", needs a quantity such as 100Mi or a share such as 10%` });
      }
    }
  }
  for (const signal of Object.keys(keys.evictionSoft)) {
    if (keys.evictionSoftGracePeriod[signal] === undefined) {
      problems.push({
        path: `${path}.evictionSoftGracePeriod.${signal}`,
        say: 'is missing: a soft threshold needs a grace period, such as 90s',
      });
    }
  }
  for (const [signal, text] of Object.entries(keys.evictionSoftGracePeriod)) {
    if ((parseDuration(text) ?? 0) > 0) continue;
    problems.push({
      path: `${path}.evictionSoftGracePeriod.${signal}`,
      say: `is "${text}", needs a duration such as 90s`,
    });
  }
  return problems;
}

/** The keys have passed the check. */
export function readEviction(keys: EvictionKeys): EvictionSettings {
  const read = (of: Readonly<Record<string, string>>, graceOf: (signal: string) => Duration): EvictionThreshold[] =>
    Object.entries(of).flatMap(([signal, written]) => {
      const below = parseAmount(written);
      // Zero turns a threshold off.
      const isOff = !below || ('units' in below ? below.units === 0 : below.share === 0);
      if (isOff || !isSignal(signal)) return [];
      const least = keys.evictionMinimumReclaim[signal];
      const reclaim = least === undefined ? undefined : parseAmount(least);
      return [{ signal, below, written, grace: graceOf(signal), reclaim }];
    });
  return {
    thresholds: [
      ...read(keys.evictionHard, () => seconds(0)),
      ...read(keys.evictionSoft, (signal) => parseDuration(keys.evictionSoftGracePeriod[signal] ?? '') ?? seconds(0)),
    ],
    transitionPeriod: parseDuration(keys.evictionPressureTransitionPeriod) ?? seconds(300),
    maxPodGraceSeconds: Math.max(0, keys.evictionMaxPodGracePeriod),
  };
}
