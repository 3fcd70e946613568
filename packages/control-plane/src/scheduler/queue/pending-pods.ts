// The pods that wait for a node. Active ones are tried in order of priority; ones that fit nowhere are parked until
// something changes that could help them, and then wait a little longer each time.
import { backoffDelay, Wakeup } from '@kedge/core/flow';
import { type Clock, type Duration, milliseconds, minutes, seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import type { ClusterChange } from '../filters/filter.ts';
import { podFacts } from '../state/pod-facts.ts';
import { Heap } from './heap.ts';

/** A pod in the queue. `tries` counts how often it was tried in vain. */
export interface Waiting {
  readonly key: string;
  pod: Pod;
  tries: number;
  readonly since: number;
  state: State;
}

type State =
  | { readonly at: 'active' }
  /** Taken out to be tried; `changes` is how many changes the cluster had seen then. */
  | { readonly at: 'trying'; readonly changes: number }
  | { readonly at: 'backing-off'; readonly due: number }
  | { readonly at: 'parked'; readonly helpedBy: ReadonlySet<ClusterChange>; readonly due: number }
  | { readonly at: 'gone' };

const backoff = { first: seconds(1), max: seconds(10) };
/** Nobody waits longer than this, whatever did or did not happen. */
const longestParking: Duration = minutes(5);

export class PendingPods {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, Waiting>();
  /** Those that back off or are parked. */
  readonly #resting = new Set<Waiting>();
  readonly #active = new Heap<Waiting>(goesBefore);
  readonly #wakeup = new Wakeup();
  /** The latest changes by kind, counted, so that a change during a try is not missed. */
  readonly #changedAt = new Map<ClusterChange, number>();
  #changes = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** A pod that is new, or whose spec or labels changed: it is tried at once. */
  put(pod: Pod): void {
    const { key } = podFacts(pod);
    const known = this.#byKey.get(key);
    if (known && known.pod.metadata.uid === pod.metadata.uid) {
      known.pod = pod;
      if (known.state.at === 'parked' || known.state.at === 'backing-off') this.#activate(known);
      return;
    }
    this.drop(key);
    const waiting: Waiting = { key, pod, tries: 0, since: this.#clock.monotonic(), state: { at: 'active' } };
    this.#byKey.set(key, waiting);
    this.#activate(waiting);
  }

  /** A newer version of a pod that changes nothing about where it can run. */
  refresh(pod: Pod): void {
    const known = this.#byKey.get(podFacts(pod).key);
    if (known && known.pod.metadata.uid === pod.metadata.uid) known.pod = pod;
    else this.put(pod);
  }

  drop(key: string): void {
    const known = this.#byKey.get(key);
    if (!known) return;
    known.state = { at: 'gone' };
    this.#byKey.delete(key);
    this.#resting.delete(known);
  }

  /** This pod needs no more tries; another that took its name meanwhile keeps its place. */
  finish(waiting: Waiting): void {
    if (this.#byKey.get(waiting.key) === waiting) this.drop(waiting.key);
  }

  /** The next pod to try; waits for one. */
  async take(signal: AbortSignal): Promise<Waiting> {
    for (;;) {
      const nextDue = this.#activateDue();
      const next = this.#popActive();
      if (next) {
        next.state = { at: 'trying', changes: this.#changes };
        return next;
      }
      await this.#waitUntil(nextDue, signal);
    }
  }

  /** The pod fits nowhere; only changes of these kinds can help. */
  park(waiting: Waiting, helpedBy: ReadonlySet<ClusterChange>): void {
    if (waiting.state.at !== 'trying') return;
    const { changes } = waiting.state;
    waiting.tries += 1;
    const cameTooLate = [...helpedBy].some((change) => (this.#changedAt.get(change) ?? 0) > changes);
    if (cameTooLate) this.#backOff(waiting);
    else this.#rest(waiting, { at: 'parked', helpedBy, due: this.#clock.monotonic() + longestParking });
  }

  /** Something went wrong that is not the pod's fault. */
  retry(waiting: Waiting): void {
    if (waiting.state.at !== 'trying') return;
    waiting.tries += 1;
    this.#backOff(waiting);
  }

  /** Something changed in the cluster. */
  changed(change: ClusterChange): void {
    this.#changes += 1;
    this.#changedAt.set(change, this.#changes);
    for (const waiting of this.#resting) {
      if (waiting.state.at === 'parked' && waiting.state.helpedBy.has(change)) this.#backOff(waiting);
    }
  }

  #backOff(waiting: Waiting): void {
    const wait = backoffDelay(Math.max(0, waiting.tries - 1), backoff);
    this.#rest(waiting, { at: 'backing-off', due: this.#clock.monotonic() + wait });
    this.#wakeup.wake();
  }

  #rest(waiting: Waiting, state: State): void {
    waiting.state = state;
    this.#resting.add(waiting);
  }

  #activate(waiting: Waiting): void {
    waiting.state = { at: 'active' };
    this.#resting.delete(waiting);
    this.#active.push(waiting);
    this.#wakeup.wake();
  }

  /** Activates whose time has come; returns when the next one's comes. */
  #activateDue(): number {
    const now = this.#clock.monotonic();
    let next = Infinity;
    for (const waiting of this.#resting) {
      const { state } = waiting;
      if (state.at !== 'backing-off' && state.at !== 'parked') continue;
      if (state.due <= now) this.#activate(waiting);
      else next = Math.min(next, state.due);
    }
    return next;
  }

  /** The heap may hold entries that were dropped or taken meanwhile. */
  #popActive(): Waiting | undefined {
    for (let next = this.#active.pop(); next; next = this.#active.pop()) {
      if (next.state.at === 'active') return next;
    }
    return undefined;
  }

  async #waitUntil(due: number, signal: AbortSignal): Promise<void> {
    if (due === Infinity) return this.#wakeup.wait(signal);
    const stop = new AbortController();
    const both = AbortSignal.any([signal, stop.signal]);
    const left = milliseconds(Math.max(0, due - this.#clock.monotonic()));
    try {
      await Promise.race([this.#wakeup.wait(both), this.#clock.sleep('pod to be tried again', left, both)]);
    } finally {
      stop.abort();
    }
  }
}

function goesBefore(a: Waiting, b: Waiting): boolean {
  const [x, y] = [podFacts(a.pod).priority, podFacts(b.pod).priority];
  return x === y ? a.since < b.since : x > y;
}
