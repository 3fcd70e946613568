// Samples on their way to edgecore, in order, until it has answered that it has them. While edgecore is away they wait here;
// a sample whose fate is unknown is sent again and marked as a possible duplicate.
import { explain, retryOf } from '@kedge/core/errors';
import { createBackoff, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import { type Clock, seconds } from '@kedge/core/time';
import type { DeviceManager } from '@kedge/wire/dmi';
import { rpcCodeOf, rpcErrors } from '@kedge/wire/rpc';

export interface ReportedSample {
  readonly property: string;
  readonly value: string;
  readonly observedDesired: string;
  readonly type: string;
  /** Unix milliseconds. */
  readonly at: number;
}

interface Waiting extends ReportedSample {
  maybeSent: boolean;
}

interface Line {
  readonly namespace: string;
  readonly name: string;
  readonly waiting: Waiting[];
  /** So many are sent one by one: a report with all of them was refused, which is the fault of one. */
  alone: number;
}

export interface ReportQueueDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly random: () => number;
  readonly manager: DeviceManager;
  /** edgecore answers again after it did not. */
  readonly onBack: () => void;
}

/** Samples that wait for one device; at one a second this is almost three hours. */
const limitPerDevice = 10_000;
const batchLimit = 200;
const sendTimeout = seconds(10);

export class ReportQueue {
  readonly #deps: ReportQueueDeps;
  readonly #devices = new Map<string, Line>();
  readonly #wake = new Wakeup();
  readonly #outcomes;
  #away = false;

  constructor(deps: ReportQueueDeps) {
    this.#deps = deps;
    this.#outcomes = deps.metrics.counter(
      'kedge_mapper_samples_total',
      'Samples on their way to edgecore, by outcome.',
    );
  }

  get size(): number {
    let size = 0;
    for (const { waiting } of this.#devices.values()) size += waiting.length;
    return size;
  }

  add(device: { namespace: string; name: string }, samples: readonly ReportedSample[]): void {
    const key = `${device.namespace}/${device.name}`;
    let entry = this.#devices.get(key);
    if (!entry) this.#devices.set(key, (entry = { ...device, waiting: [], alone: 0 }));
    for (const sample of samples) entry.waiting.push({ ...sample, maybeSent: false });
    const over = entry.waiting.length - limitPerDevice;
    if (over > 0) {
      entry.waiting.splice(0, over);
      this.#outcomes.add(over, { outcome: 'overflow' });
      this.#deps.log.error('edgecore is away for too long: the oldest samples of a device are lost', {
        device: key,
        count: over,
      });
    }
    this.#wake.wake();
  }

  /** What a device that is gone has left is of no use to anybody. */
  forget(device: { namespace: string; name: string }): void {
    this.#devices.delete(`${device.namespace}/${device.name}`);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#deps;
    const backoff = createBackoff({ first: seconds(0.2), max: seconds(2), jitter: 0.3, random });
    for (;;) {
      let failure: unknown;
      for (const [key, entry] of this.#devices) {
        if (entry.waiting.length === 0) continue;
        failure = await this.#send(key, entry, signal);
        if (signal.aborted) return;
        if (failure) break;
        backoff.reset();
      }
      if (failure) {
        const wait = backoff.next();
        if (!this.#away) log.warn('samples wait for edgecore', { err: failure, count: this.size });
        this.#away = true;
        await clock.sleep('edgecore to take samples', wait, signal).catch(() => undefined);
      } else if (this.size === 0) await this.#wake.wait(signal).catch(() => undefined);
      if (signal.aborted) return;
    }
  }

  /** What went wrong, if it is worth another try. */
  async #send(key: string, line: Line, signal: AbortSignal): Promise<unknown> {
    const { namespace, name, waiting } = line;
    const batch = line.alone > 0 ? waiting.slice(0, 1) : firstOfEach(waiting);
    const twins = batch.map((sample) => ({
      propertyName: sample.property,
      observedDesired: { value: sample.observedDesired, metadata: { timestamp: String(sample.at), type: sample.type } },
      reported: {
        value: sample.value,
        metadata: {
          timestamp: String(sample.at),
          type: sample.type,
          ...(sample.maybeSent ? { duplicate: 'true' } : {}),
        },
      },
    }));
    try {
      const reportedDevice = { twins, reportToCloud: true };
      await this.#deps.manager.reportDeviceStatus(
        { deviceName: name, deviceNamespace: namespace, reportedDevice },
        { signal, timeout: sendTimeout },
      );
    } catch (error) {
      if (signal.aborted) return error;
      const code = rpcCodeOf(error);
      if (code === 'INVALID_ARGUMENT' && batch.length > 1) {
        line.alone = batch.length;
        return undefined;
      }
      if (code === 'NOT_FOUND' || code === 'INVALID_ARGUMENT' || retryOf(error) === 'never') {
        this.#deps.log.warn('edgecore will never take these samples', {
          device: key,
          count: batch.length,
          reason: explain(error),
        });
        this.#outcomes.add(batch.length, { outcome: 'refused' });
        waiting.splice(0, batch.length);
        line.alone = Math.max(0, line.alone - 1);
        return undefined;
      }
      // Without an answer nobody knows whether they arrived.
      if (!rpcErrors.REFUSED.is(error)) for (const sample of batch) sample.maybeSent = true;
      return error;
    }
    // More may have come meanwhile, and if there was too much, the oldest have gone: only what was sent is taken off.
    let at = 0;
    while (at < waiting.length && batch.includes(waiting[at]!)) at += 1;
    waiting.splice(0, at);
    line.alone = Math.max(0, line.alone - 1);
    this.#outcomes.add(batch.length, { outcome: 'delivered' });
    if (this.#away) {
      this.#away = false;
      this.#deps.log.info('edgecore takes samples again', { count: this.size });
      this.#deps.onBack();
    }
    return undefined;
  }
}

/** From the head of the queue, until a property would come twice: some receivers keep one value of each per report. */
function firstOfEach(waiting: readonly Waiting[]): Waiting[] {
  const seen = new Set<string>();
  const batch: Waiting[] = [];
  for (const sample of waiting) {
    if (seen.has(sample.property) || batch.length >= batchLimit) break;
    seen.add(sample.property);
    batch.push(sample);
  }
  return batch;
}
