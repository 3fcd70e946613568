// Where values go besides edgecore: each property's push method is a target with a bounded queue of its own, so a database
// that is down holds up nothing else.
import { BoundedQueue, createBackoff } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Random } from '@kedge/core/ports';
import { type Clock, seconds } from '@kedge/core/time';
import type { PropertySettings } from '../device-settings.ts';
import type { ReportedSample } from '../report-queue.ts';
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

interface Line {
  readonly target: PushTarget;
  readonly queue: PushedSample[];
  dropped: boolean;
}

export function createPushers(
  deps: PushDeps,
  { clock, log, metrics, random }: { clock: Clock; log: Log; metrics: Metrics; random: Random },
): Pushers {
  const lines = new Map<string, Line>();
  const started = new BoundedQueue<Line>('push targets', maxTargets);
  const counter = metrics.counter('kedge_mapper_pushed_total', 'Samples for push targets, by outcome.');

  async function serve(line: Line, signal: AbortSignal): Promise<void> {
    const backoff = createBackoff({ first: seconds(1), max: seconds(60), jitter: 0.3, random: () => random.next() });
    while (!signal.aborted) {
      if (line.queue.length === 0) {
        await clock.sleep('values to push', seconds(0.2), signal).catch(() => undefined);
        continue;
      }
      const batch = line.queue.slice(0, batchLimit);
      try {
        await line.target.push(batch, signal);
        // What overflowed meanwhile has gone from the head.
        while (line.queue.length > 0 && batch.includes(line.queue[0]!)) line.queue.shift();
        counter.add(batch.length, { outcome: 'pushed' });
        if (backoff.attempt > 0) log.info('values are pushed again', { to: line.target.name });
        backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        const wait = backoff.next();
        log.warn('values cannot be pushed', { to: line.target.name, err: error, retryInMs: wait });
        await clock.sleep(`push to ${line.target.name}`, wait, signal).catch(() => undefined);
      }
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
        line = { target: open(), queue: [], dropped: false };
        lines.set(id, line);
        started.push(line);
      }
      return [line];
    });
  }
}
