// Notices that a container or sandbox changed and says which pod it belongs to. Follows the runtime's events where it
// has them; asks for all states otherwise, several times a second while something is expected to happen and once in a
// while when nothing is. Either way an event only means "look again".
import { explain } from '@kedge/core/errors';
import { Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import { type Clock, type Duration, milliseconds, minutes, plus, seconds } from '@kedge/core/time';
import type { Cri } from '@kedge/wire/cri';
import { rpcCodeOf } from '@kedge/wire/rpc';
import { labels } from './labels.ts';
import type { Observer } from './observe.ts';

export interface RuntimeWatch {
  /** Runs until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** Something will change soon. */
  expectChange(): void;
}

export interface RuntimeWatchDeps {
  readonly cri: Cri;
  readonly clock: Clock;
  readonly log: Log;
  readonly site: string;
  readonly observer: Observer;
  readonly changed: (uid: string) => void;
  /** The runtime answers again, or for the first time: everything may be different. */
  readonly returned: () => void;
}

const busyPoll = milliseconds(150);
const idlePoll = seconds(1);
/** With events, states are compared rarely: only in case one got lost. */
const pollBesideEvents = minutes(1);
const busyFor = seconds(3);
/** A runtime whose events are turned off ends the stream at once: CRI-O does by default. It is asked again ever more rarely. */
const eventsAgain = { first: seconds(5), longest: minutes(5) };

export function createRuntimeWatch(deps: RuntimeWatchDeps): RuntimeWatch {
  const { cri, clock, log, observer, changed } = deps;
  const wakeup = new Wakeup();
  const returned = new Wakeup();
  let busyUntil = clock.now();
  let hasEvents = false;
  /** Undefined until it has been asked. */
  let isReachable: boolean | undefined;
  let states: States = [];
  let owners: ReadonlyMap<string, string> = new Map();

  async function compare(signal: AbortSignal): Promise<void> {
    const [containers, sandboxes] = await Promise.all([
      cri.containerStates({ signal, timeout: seconds(10) }),
      cri.sandboxStates({ signal, timeout: seconds(10) }),
    ]);
    const { moved, gone } = difference(states, [containers, sandboxes]);
    if (moved.length > 0 || gone.length > 0) {
      const before = owners;
      // Others may use the same runtime: their containers have no owner here.
      if (moved.some((id) => !owners.has(id)) || gone.length > 0) owners = await observer.owners(signal);
      for (const id of [...moved, ...gone]) {
        const uid = owners.get(id) ?? before.get(id);
        if (uid) changed(uid);
      }
      states = [containers, sandboxes];
    }
    if (!isReachable) {
      isReachable = true;
      log.info('container runtime answers', { count: containers.size + sandboxes.size });
      returned.wake();
      deps.returned();
    }
  }

  /** At most `wait`, unless `early` wakes. */
  async function sleep(what: string, wait: Duration, early: Wakeup | undefined, signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    const stop = AbortSignal.any([signal, woken.signal]);
    const ends = [clock.sleep(what, wait, stop).catch(() => undefined)];
    if (early) ends.push(early.wait(stop).catch(() => undefined));
    await Promise.race(ends);
    woken.abort();
  }

  function pause(signal: AbortSignal): Promise<void> {
    const isBusy = clock.now() < busyUntil;
    const wait: Duration = isBusy ? busyPoll : hasEvents ? pollBesideEvents : idlePoll;
    return sleep('states of containers', wait, isBusy ? undefined : wakeup, signal);
  }

  async function poll(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await compare(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (isReachable !== false) log.warn('container runtime does not answer', { reason: explain(error) });
        isReachable = false;
      }
      await pause(signal);
    }
  }

  async function follow(signal: AbortSignal): Promise<void> {
    let wait: Duration = eventsAgain.first;
    while (!signal.aborted) {
      try {
        for await (const event of cri.containerEvents({ signal })) {
          hasEvents = true;
          wait = eventsAgain.first;
          const { labels: of } = event.podSandboxStatus ?? {};
          const uid = of?.[labels.site] === deps.site ? of[labels.podUid] : undefined;
          if (uid) changed(uid);
          // An event about something that is gone does not say whose it was.
          else if (!of) wakeup.wake();
        }
      } catch (error) {
        if (rpcCodeOf(error) === 'UNIMPLEMENTED') return;
      }
      hasEvents = false;
      await sleep('events of containers', wait, returned, signal);
      wait = milliseconds(Math.min(wait * 2, eventsAgain.longest));
    }
  }

  return {
    async run(signal) {
      await Promise.all([poll(signal), follow(signal)]);
    },
    expectChange() {
      busyUntil = plus(clock.now(), busyFor);
      wakeup.wake();
    },
  };
}

/** Id to state, of containers and of sandboxes. */
type States = readonly ReadonlyMap<string, number>[];

/** Usually there is none, every second for years: so nothing is built to find that out. */
function difference(before: States, now: States): { moved: readonly string[]; gone: readonly string[] } {
  const moved: string[] = [];
  const gone: string[] = [];
  now.forEach((map, n) => {
    map.forEach((state, id) => void (before[n]?.get(id) !== state && moved.push(id)));
    before[n]?.forEach((_, id) => void (map.has(id) || gone.push(id)));
  });
  return { moved, gone };
}
