// Who leads, read off a Lease. Other processes' clocks are not trusted: a lease has expired when it has not changed for
// its duration by our own clock. Pure.
import { type Duration, type Instant, seconds, toMicroTime } from '@kedge/core/time';
import type { Lease } from '@kedge/model/k8s-types';

/** The lease as last seen to change. */
export interface Sighting {
  readonly version: string;
  readonly at: Duration;
}

export interface LeaseTerms {
  readonly identity: string;
  /** How long others wait for a silent leader. */
  readonly duration: Duration;
}

export type LeaseMove =
  | { readonly do: 'take'; readonly spec: NonNullable<Lease['spec']> }
  | { readonly do: 'renew'; readonly spec: NonNullable<Lease['spec']> }
  | { readonly do: 'wait'; readonly holder: string };

export function planLease(
  lease: Lease | undefined,
  sighting: Sighting,
  { identity, duration }: LeaseTerms,
  now: { readonly wall: Instant; readonly monotonic: Duration },
): LeaseMove {
  const spec = lease?.spec ?? {};
  const holder = spec.holderIdentity ?? '';
  const time = toMicroTime(now.wall);
  const leaseDurationSeconds = Math.ceil(duration / 1_000);
  if (holder === identity) {
    return { do: 'renew', spec: { ...spec, leaseDurationSeconds, renewTime: time } };
  }
  // What the holder promised counts, not what we would have promised.
  const patience = seconds(spec.leaseDurationSeconds ?? leaseDurationSeconds);
  if (holder !== '' && now.monotonic - sighting.at < patience) return { do: 'wait', holder };
  const leaseTransitions = (spec.leaseTransitions ?? 0) + (lease ? 1 : 0);
  const taken = {
    holderIdentity: identity,
    leaseDurationSeconds,
    acquireTime: time,
    renewTime: time,
    leaseTransitions,
  };
  return { do: 'take', spec: { ...spec, ...taken } };
}
