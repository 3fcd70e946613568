// Sends items that the peer has to acknowledge: at most `window` of them at a time, each repeated until it is answered.
// What to send, and in which order, is the source's business; the lane only knows keys, ids and time. An item that
// stays unanswered steps aside for a while, so that one bad object cannot hold up the others for ever.
import { backoffDelay, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import { type Clock, type Duration, seconds } from '@kedge/core/time';

export interface LaneItem<M> {
  /** Items of one key are sent one after the other, never side by side. */
  readonly key: string;
  /** What an acknowledgement names. */
  readonly id: string;
  /** Asked once per item, so a repetition is the identical message; a rejection makes the key step aside. */
  message(): Promise<M> | M;
}

export interface LaneSource<M> {
  /** The oldest item whose key is not `busy`; it stays with the source until it is settled. */
  take(busy: (key: string) => boolean): LaneItem<M> | undefined;
  /** The peer has it. A newer item of the same key may have come up meanwhile. */
  settle(item: LaneItem<M>): void;
}

export interface LaneTiming {
  /** How long to wait for an answer before the message is repeated. */
  readonly repeatAfter: Duration;
  /** How often a message is sent before its key steps aside. */
  readonly sends: number;
  /** How long a key steps aside at first; doubled for every further time, up to `asideMax`. */
  readonly asideFirst: Duration;
  readonly asideMax: Duration;
}

/** Upstream's pace, but for the time aside: there it grows to 1000 s. */
export const laneTiming: LaneTiming = {
  repeatAfter: seconds(5),
  sends: 5,
  asideFirst: seconds(5),
  asideMax: seconds(30),
};

export interface AckedLaneOptions<M> {
  readonly clock: Clock;
  readonly log: Log;
  readonly source: LaneSource<M>;
  /** A rejection ends the lane: the link is gone. */
  readonly send: (message: M) => Promise<void>;
  /** How many unanswered items there may be; an upstream peer gets 1. */
  readonly window: number;
  readonly timing?: LaneTiming;
  /** Told of every send, and of how it went. */
  readonly onEvent?: (event: LaneEvent) => void;
}

export type LaneEvent = 'sent' | 'repeated' | 'acknowledged' | 'refused';

export interface AckedLane {
  /** Runs until the signal aborts or a send fails. */
  run(signal: AbortSignal): Promise<void>;
  /** The source may have something new. */
  wake(): void;
  /** False when nothing with this id is under way: a late or repeated acknowledgement. */
  acknowledged(id: string): boolean;
  /** The peer could not take it: no use in repeating at once. */
  refused(id: string): boolean;
}

type Answer = 'acknowledged' | 'refused' | 'silence';

export function createAckedLane<M>(options: AckedLaneOptions<M>): AckedLane {
  const { clock, log, source, send, window, timing = laneTiming, onEvent = () => undefined } = options;
  const underway = new Map<string, { id: string; answer: (how: Answer) => void }>();
  const aside = new Set<string>();
  /** How often in a row a key had to step aside. */
  const failures = new Map<string, number>();
  const wakeup = new Wakeup();

  const answered = (id: string, how: Answer): boolean => {
    for (const entry of underway.values()) {
      if (entry.id !== id) continue;
      entry.answer(how);
      return true;
    }
    return false;
  };

  async function deliver(item: LaneItem<M>, answer: Promise<Answer>, signal: AbortSignal): Promise<Answer> {
    const message = await prepared(item);
    if (message === undefined) return 'silence';
    for (let sent = 1; sent <= timing.sends; sent++) {
      await send(message);
      onEvent(sent === 1 ? 'sent' : 'repeated');
      const heard = new AbortController();
      const silence = clock
        .sleep('acknowledgement', timing.repeatAfter, AbortSignal.any([signal, heard.signal]))
        .then((): Answer => 'silence');
      const how = await Promise.race([answer, silence]).finally(() => heard.abort());
      if (how !== 'silence') return how;
    }
    return 'silence';
  }

  async function prepared(item: LaneItem<M>): Promise<M | undefined> {
    try {
      return await item.message();
    } catch (error) {
      log.debug('object cannot be sent yet', { key: item.key, err: error });
      return undefined;
    }
  }

  function stepAside(key: string, signal: AbortSignal): void {
    const attempt = failures.get(key) ?? 0;
    failures.set(key, attempt + 1);
    const wait = backoffDelay(attempt, { first: timing.asideFirst, max: timing.asideMax });
    aside.add(key);
    log.warn('peer does not take an object; others go first', { key, attempt: attempt + 1, retryInMs: wait });
    void clock
      .sleep(`${key} to be sent again`, wait, signal)
      .then(() => {
        aside.delete(key);
        wakeup.wake();
      })
      .catch(() => undefined);
  }

  async function handle(item: LaneItem<M>, signal: AbortSignal): Promise<void> {
    let reply: (how: Answer) => void = () => undefined;
    const answer = new Promise<Answer>((resolve) => (reply = resolve));
    underway.set(item.key, { id: item.id, answer: reply });
    try {
      const how = await deliver(item, answer, signal);
      if (how !== 'silence') onEvent(how);
      if (how === 'acknowledged') {
        failures.delete(item.key);
        source.settle(item);
      } else {
        stepAside(item.key, signal);
      }
    } finally {
      underway.delete(item.key);
      wakeup.wake();
    }
  }

  return {
    wake: () => wakeup.wake(),
    acknowledged: (id) => answered(id, 'acknowledged'),
    refused: (id) => answered(id, 'refused'),
    async run(outer) {
      const stop = new AbortController();
      const signal = AbortSignal.any([outer, stop.signal]);
      const broken: unknown[] = [];
      while (!outer.aborted && broken.length === 0) {
        const isBusy = (key: string): boolean => underway.has(key) || aside.has(key);
        const item = underway.size < window ? source.take(isBusy) : undefined;
        if (item) {
          void handle(item, signal).catch((error: unknown) => {
            if (outer.aborted) return;
            broken.push(error);
            wakeup.wake();
          });
        } else {
          await wakeup.wait(signal).catch(() => undefined);
        }
      }
      stop.abort();
      if (broken.length > 0) throw broken[0];
    },
  };
}
