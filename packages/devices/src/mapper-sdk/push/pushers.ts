// Where values go besides edgecore: each property's push method is a target with a bounded queue of its own, so a database
// that is down holds up nothing else.
import { explain, retryOf } from '@kedge/core/errors';
import { BoundedQueue, createBackoff, orAbort, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Random } from '@kedge/core/ports';
import { type Clock, seconds, withTimeout } from '@kedge/core/time';
import type { PropertySettings } from '../device-settings.ts';
import type { ReportedSample } from '../sample-line.ts';
import { mapperErrors } from '../sdk-errors.ts';
import { openTargets } from './open-targets.ts';
import type { PushDeps, PushedSample, PushTarget } from './target.ts';

export interface Pushers {
  push(device: { namespace: string; name: string }, property: PropertySettings, sample: ReportedSample): void;
  run(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

const queueLimit = 1_000;
const batchLimit = 200;
const maxTargets = 256;
/** For one batch, connecting included. */
const pushTimeout = seconds(10);

/** Given as the reason: nobody waits for this push any more. */
const over = new Error('the push is over');

interface Line {
  readonly target: PushTarget;
  readonly queue: PushedSample[];
  readonly filled: Wakeup;
  /** So many are sent one by one: one of them was refused, and it is not known which. */
  alone: number;
}

export function createPushers(
  deps: PushDeps,
  { clock, log, metrics, random }: { clock: Clock; log: Log; metrics: Metrics; random: Random },
): Pushers {
  const lines = new Map<string, Line>();
  const started = new BoundedQueue<Line>('push targets', maxTargets);
  const counter = metrics.counter('kedge_mapper_pushed_total', 'Samples for push targets, by outcome.');

  async function serve(line: Line, signal: AbortSignal): Promise<void> {
    const { target, queue } = line;
    const backoff = createBackoff({ first: seconds(1), max: seconds(60), jitter: 0.3, random: () => random.next() });
    while (!signal.aborted) {
      if (queue.length === 0) {
        await line.filled.wait(signal).catch(() => undefined);
        continue;
      }
      const batch = queue.slice(0, line.alone > 0 ? 1 : (target.atOnce ?? batchLimit));
      const failure = await push(target, batch, signal);
      if (signal.aborted) return;
      if (failure !== undefined && retryOf(failure) !== 'never') {
        const wait = backoff.next();
        log.warn('values cannot be pushed', { to: target.name, err: failure, retryInMs: wait });
        await clock.sleep(`push to ${target.name}`, wait, signal).catch(() => undefined);
        continue;
      }
      if (backoff.attempt > 0) log.info('values are pushed again', { to: target.name });
      backoff.reset();
      if (failure !== undefined && batch.length > 1) {
        line.alone = batch.length;
        continue;
      }
      if (failure !== undefined) {
        const device = `${batch[0]!.namespace}/${batch[0]!.device}`;
        log.warn('a value is not pushed', { to: target.name, device, reason: explain(failure) });
      }
      // What overflowed meanwhile has gone from the head.
      while (queue.length > 0 && batch.includes(queue[0]!)) queue.shift();
      line.alone = Math.max(0, line.alone - batch.length);
      counter.add(batch.length, { outcome: failure === undefined ? 'pushed' : 'refused' });
    }
  }

  /** What went wrong. A target that says nothing has failed, too. */
  async function push(target: PushTarget, batch: readonly PushedSample[], outer: AbortSignal): Promise<unknown> {
    const ended = new AbortController();
    const work = target.push(batch, AbortSignal.any([outer, ended.signal]));
    const late = (): Error => mapperErrors.TIMED_OUT({ what: `pushing to ${target.name}`, afterMs: pushTimeout });
    try {
      await orAbort(withTimeout(clock, `push to ${target.name}`, pushTimeout, work, late), outer);
      return undefined;
    } catch (error) {
      return error;
    } finally {
      ended.abort(over);
    }
  }

  return {
    push(device, property, sample) {
      const key = JSON.stringify(property.push, (_, value: unknown) =>
        typeof value === 'bigint' ? Number(value) : value,
      );
      for (const target of targetsOf(key, property)) {
        if (target.queue.length >= queueLimit) {
          target.queue.shift();
          counter.add(1, { outcome: 'overflow' });
        }
        target.queue.push({
          namespace: device.namespace,
          device: device.name,
          property: property.name,
          value: sample.value,
          type: sample.type,
          unit: property.unit,
          at: sample.at,
        });
        target.filled.wake();
      }
    },
    async run(signal) {
      const serving: Promise<void>[] = [];
      for (;;) {
        const line = await started.take(signal).catch(() => undefined);
        if (!line) break;
        serving.push(serve(line, signal));
      }
      await Promise.all(serving);
    },
    async close() {
      await Promise.allSettled([...lines.values()].map(({ target }) => target.close()));
    },
  };

  function targetsOf(key: string, property: PropertySettings): Line[] {
    return openTargets(property.push ?? {}, deps).flatMap(([kind, open]) => {
      const id = `${kind} ${key}`;
      let line = lines.get(id);
      if (!line) {
        if (lines.size >= maxTargets) return [];
        line = { target: open(), queue: [], filled: new Wakeup(), alone: 0 };
        lines.set(id, line);
        started.push(line);
      }
      return [line];
    });
  }
}
