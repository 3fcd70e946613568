// Questions to the cloud, each waiting for its own reply. Offline there is an answer too, at once: that it cannot be
// asked. Whoever runs the link attaches how to send, and hands in the replies.
import { abortError } from '@kedge/core/flow';
import type { Random } from '@kedge/core/ports';
import { type Clock, type Duration, seconds } from '@kedge/core/time';
import { failure, type KubeObject, type Status } from '@kedge/model/k8s';
import { type Downstream, messageId, type Outcome, type Question, type QuestionBody } from '@kedge/model/messages';

export interface Asks {
  /** Rejects only when `signal` aborts; every other failure is an outcome. A bare success has an undefined value. */
  ask<T = KubeObject>(question: QuestionBody, signal: AbortSignal): Promise<Outcome<T>>;
  /** Hands a reply to whoever waits for it; a late one is dropped. */
  settle(reply: Extract<Downstream, { kind: 'reply' }>): void;
  /** How far the cloud's clock is ahead, in milliseconds, and how wrong that may be, by its newest reply. */
  cloudClock(): CloudClock | undefined;
  /** The link is up: questions go out by `send`. Call the result when it is down, and waiting questions fail at once. */
  attach(send: (question: Question) => Promise<void>): () => void;
}

export interface CloudClock {
  readonly ahead: number;
  readonly within: number;
}

export interface AsksOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Upstream waits this long for a reply. */
  readonly timeout?: Duration;
  /** How many questions may wait at once; further ones are turned away. */
  readonly limit?: number;
}

/** True for an outcome that says nothing about the object, only that the cloud could not be asked just now. */
export const isUnreachable = (status: Status): boolean =>
  status.reason === 'ServiceUnavailable' || status.reason === 'Timeout' || status.reason === 'TooManyRequests';

const offline = failure('ServiceUnavailable', 'the cloud cannot be reached just now');

export function createAsks({ clock, random, timeout = seconds(60), limit = 512 }: AsksOptions): Asks {
  const waiting = new Map<string, (outcome: Outcome<unknown>) => void>();
  let current: ((question: Question) => Promise<void>) | undefined;
  const sentAt = new Map<string, { readonly wall: number; readonly monotonic: number }>();
  let cloudClock: CloudClock | undefined;

  /** The reply was made somewhere between the question and now. */
  function compareClocks({ to, at }: { readonly to: string; readonly at: number }): void {
    const sent = sentAt.get(to);
    if (!sent || !(at > 0)) return;
    const took = clock.monotonic() - sent.monotonic;
    cloudClock = { ahead: at - (sent.wall + took / 2), within: took / 2 };
  }

  const settleOne = (id: string, outcome: Outcome<unknown>): void => {
    waiting.get(id)?.(outcome);
    waiting.delete(id);
  };

  async function exchange(body: QuestionBody, signal: AbortSignal): Promise<Outcome<unknown>> {
    if (signal.aborted) throw abortError(signal);
    const send = current;
    if (!send) return { ok: false, status: offline };
    if (waiting.size >= limit) {
      return { ok: false, status: failure('TooManyRequests', `${limit} questions are waiting for the cloud already`) };
    }
    const id = messageId(random.uuid());
    const done = new AbortController();
    sentAt.set(id, { wall: clock.now(), monotonic: clock.monotonic() });
    const answered = new Promise<Outcome<unknown>>((resolve) => waiting.set(id, resolve));
    const late = clock.sleep('reply of the cloud', timeout, AbortSignal.any([signal, done.signal])).then(() => ({
      ok: false as const,
      status: failure('Timeout', `the cloud did not answer within ${timeout / 1_000} s`),
    }));
    // A failed send is a link that breaks, and then `attach`'s result is called; without that the timeout ends the wait.
    void send({ ...body, id, at: clock.now() } as Question).catch(() => settleOne(id, { ok: false, status: offline }));
    try {
      return await Promise.race([answered, late]);
    } finally {
      waiting.delete(id);
      sentAt.delete(id);
      done.abort();
    }
  }

  return {
    ask: <T>(body: QuestionBody, signal: AbortSignal) => exchange(body, signal) as Promise<Outcome<T>>,
    settle(reply) {
      compareClocks(reply);
      settleOne(reply.to, reply.outcome);
    },
    cloudClock: () => cloudClock,
    attach(send) {
      current = send;
      return () => {
        if (current !== send) return;
        current = undefined;
        for (const id of [...waiting.keys()]) settleOne(id, { ok: false, status: offline });
      };
    },
  };
}
