// One process of several does the work: the one that holds a Lease and keeps renewing it.
import type { Log } from '@kedge/core/log';
import type { Random } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, seconds, withTimeout } from '@kedge/core/time';
import { explain } from '@kedge/core/errors';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { Lease } from '@kedge/model/k8s-types';
import { leaderErrors } from './leader-errors.ts';
import { planLease, type Sighting } from './plan-lease.ts';

export interface LeaderElectionOptions {
  readonly api: Pick<KubeApi, 'create' | 'get' | 'update'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly lease: { readonly namespace: string; readonly name: string };
  /** Unique among the candidates: host name and a random part. */
  readonly identity: string;
  readonly timing?: Timing;
}

export interface Timing {
  /** How long others wait for a leader that has fallen silent. */
  readonly duration: Duration;
  /** A leader that cannot renew for this long stops leading; shorter than `duration`, so that there are never two. */
  readonly renewWithin: Duration;
  readonly retryEvery: Duration;
}

export interface LeaderElection {
  /**
   * Runs `lead` whenever this process holds the lease, until `signal` aborts. The signal handed to `lead` aborts when the
   * lease is lost; the next candidate may start as soon as it expires, so `lead` has to end promptly.
   */
  run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void>;
  readonly isLeader: boolean;
}

const usual: Timing = { duration: seconds(15), renewWithin: seconds(10), retryEvery: seconds(2) };

export function createLeaderElection(options: LeaderElectionOptions): LeaderElection {
  const { api, clock, log, random, lease, identity, timing = usual } = options;
  let sighting: Sighting = { version: '', at: clock.monotonic() };
  let isLeader = false;

  async function read(signal: AbortSignal): Promise<Lease | undefined> {
    try {
      const found = (await api.get(collections.leases, lease, { signal })) as Lease;
      const version = found.metadata.resourceVersion ?? '';
      if (version !== sighting.version) sighting = { version, at: clock.monotonic() };
      return found;
    } catch (error) {
      if (isStatus(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** One try to take or renew; true when we hold the lease now. */
  async function hold(signal: AbortSignal): Promise<boolean> {
    const found = await read(signal);
    const now = { wall: clock.now(), monotonic: clock.monotonic() };
    const move = planLease(found, sighting, { identity, duration: timing.duration }, now);
    if (move.do === 'wait') return false;
    const kind = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' } as const;
    const next: KubeObject = { ...kind, ...found, metadata: found?.metadata ?? { ...lease }, spec: move.spec };
    try {
      if (found) await api.update(collections.leases, next, { signal });
      else await api.create(collections.leases, lease.namespace, next, { signal });
      return true;
    } catch (error) {
      // Somebody else was faster.
      if (isStatus(error, 'Conflict') || isStatus(error, 'AlreadyExists')) return false;
      throw error;
    }
  }

  const pause = (signal: AbortSignal): Promise<void> =>
    clock.sleep('lease to be looked at again', milliseconds(timing.retryEvery * (1 + 0.2 * random.next())), signal);

  async function acquire(signal: AbortSignal): Promise<void> {
    for (;;) {
      try {
        if (await hold(signal)) return;
      } catch (error) {
        if (signal.aborted) throw error;
        log.debug('lease could not be taken', { name: lease.name, reason: explain(error) });
      }
      await pause(signal);
    }
  }

  /** Returns when the lease is lost. */
  async function keep(signal: AbortSignal): Promise<void> {
    let renewedAt = clock.monotonic();
    for (;;) {
      await pause(signal);
      const left = milliseconds(renewedAt + timing.renewWithin - clock.monotonic());
      try {
        const try_ = withTimeout(clock, 'lease to be renewed', left, hold(signal), () =>
          leaderErrors.RENEW_TIMEOUT({ lease: lease.name }),
        );
        if (!(await try_)) return log.warn('another process has taken the lease', { name: lease.name });
        renewedAt = clock.monotonic();
      } catch (error) {
        if (signal.aborted) return;
        log.warn('lease could not be renewed', { name: lease.name, reason: explain(error) });
        if (clock.monotonic() - renewedAt >= timing.renewWithin) return;
      }
    }
  }

  /** Lets the next one start at once. */
  async function release(): Promise<void> {
    const found = await read(new AbortController().signal);
    if (found?.spec?.holderIdentity !== identity) return;
    const spec = { ...found.spec, holderIdentity: '', leaseDurationSeconds: 1 };
    await api.update(collections.leases, { ...found, spec });
  }

  async function leadOnce(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const lost = new AbortController();
    const both = AbortSignal.any([signal, lost.signal]);
    isLeader = true;
    log.info('leading', { name: lease.name });
    const keeping = keep(both)
      .catch(() => undefined)
      .finally(() => lost.abort(new Error('the lease is lost')));
    try {
      await lead(both);
    } catch (error) {
      if (!both.aborted) throw error;
    } finally {
      lost.abort(new Error('no longer leading'));
      await keeping;
      isLeader = false;
      log.info('no longer leading', { name: lease.name });
      await release().catch((error: unknown) => log.debug('lease not given back', { reason: explain(error) }));
    }
  }

  return {
    get isLeader() {
      return isLeader;
    },
    async run(lead, signal) {
      while (!signal.aborted) {
        await acquire(signal).catch(() => undefined);
        if (signal.aborted) return;
        await leadOnce(lead, signal);
      }
    },
  };
}
