// Samples on their way to edgecore, in order, until it has answered that it has them. While edgecore is away they wait here,
// and those that wait for long do so on disk, so that they outlive the process; a sample whose fate is unknown is sent again and
// marked as a possible duplicate.
import { explain, retryOf } from '@kedge/core/errors';
import { createBackoff, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import { type Clock, milliseconds, seconds } from '@kedge/core/time';
import type { DeviceManager } from '@kedge/wire/dmi';
import { rpcCodeOf, rpcErrors } from '@kedge/wire/rpc';
import {
  batchLimit,
  firstOfEach,
  lengthOf,
  type Line,
  newLine,
  type ReportedSample,
  settle,
  type Waiting,
  whenKept,
} from './sample-line.ts';
import type { SampleStore } from './sample-store.ts';

/** Where samples outlive the process. */
export interface KeepSamples {
  /**
   * `late`: those that have waited for half a second, or that edgecore did not take at once. `always`: each as it comes.
   * `exact`: those that edgecore has not taken within 50 ms, all of that time in one transaction.
   */
  readonly when: 'late' | 'always' | 'exact';
  /** Whether a process before has left some. */
  readonly isThere: boolean;
  open(): Promise<SampleStore>;
}

export interface ReportQueueDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly random: () => number;
  readonly manager: DeviceManager;
  /** Absent: they wait in memory alone. */
  readonly keep?: KeepSamples | undefined;
  /** edgecore answers again after it did not. */
  readonly onBack: () => void;
}

/** Samples that wait for one device: in memory almost three hours at one a second, on disk more than a day. */
const limitPerDevice = { inMemory: 10_000, onDisk: 100_000 };
/** Of samples on disk, those of all devices. */
const limitOnDisk = 67_108_864;
/** Of a device, in memory, when the others are on disk; at least a batch, which is in memory as long as it is under way. */
const windowSize = 2 * batchLimit;
const sendTimeout = seconds(10);
/** Waiting for longer than this is waiting for long. */
const patience = milliseconds(500);
/** With `exact`: so long edgecore may take, and so much shares a transaction. */
const exactPatience = milliseconds(50);
/** With `exact`, of one device: delivered reports that a kill makes come again. */
const maxUnremoved = 16;
/** With `exact`: the file stays open, because the next one to be late is not far. */
const lingering = seconds(60);

export class ReportQueue {
  readonly #deps: ReportQueueDeps;
  readonly #devices = new Map<string, Line>();
  readonly #wake = new Wakeup();
  readonly #outcomes;
  readonly #arrived = new Wakeup();
  /** With `exact`: there is something that is not on disk as it should be. */
  readonly #unsaved = new Wakeup();
  #away = false;
  #store: SampleStore | undefined;
  #isBroken = false;
  /** Something has waited for long, and there is more behind it. */
  #isLate = false;

  constructor(deps: ReportQueueDeps) {
    this.#deps = deps;
    this.#outcomes = deps.metrics.counter(
      'kedge_mapper_samples_total',
      'Samples on their way to edgecore, by outcome.',
    );
  }

  get size(): number {
    let size = 0;
    for (const line of this.#devices.values()) size += lengthOf(line);
    return size;
  }

  /** With `exact`: resolves once all of them are on a disk, ours or edgecore's, or are given up. */
  add(device: { namespace: string; name: string }, samples: readonly ReportedSample[]): Promise<void> | undefined {
    const line = this.#line(`${device.namespace}/${device.name}`);
    const since = this.#deps.clock.monotonic();
    const fresh = samples.map((sample): Waiting => ({ ...sample, maybeSent: false, since }));
    const kept = this.#isExact ? whenKept(fresh) : undefined;
    if (this.#isExact) {
      (line.behind > 0 ? line.fresh : line.waiting).push(...fresh);
      this.#unsaved.wake();
      // Little of what waits is in memory, whoever adds much at once.
      if (this.#store && line.waiting.length + line.fresh.length > windowSize) this.#commit();
    } else if (line.behind > 0) {
      // What is in memory is older than what is on disk: these are the newest.
      if (this.#write(fresh.map((sample) => ({ device: line.key, sample })))) line.behind += fresh.length;
      else line.waiting.push(...fresh);
    } else {
      line.waiting.push(...fresh);
      const isMany = line.waiting.length > windowSize;
      if (this.#store && (this.#isLate || isMany || this.#deps.keep?.when === 'always')) this.#put([line]);
    }
    this.#limit(line);
    this.#wake.wake();
    this.#arrived.wake();
    return kept;
  }

  /** Whether samples are to be on a disk before they count as handed over; not where there is none. */
  get #isExact(): boolean {
    return this.#deps.keep?.when === 'exact' && !this.#isBroken;
  }

  #line(key: string): Line {
    let line = this.#devices.get(key);
    if (line) return line;
    line = newLine(key);
    this.#devices.set(key, line);
    return line;
  }

  /** Of one device there may be too many; of all, where the disk is full, the one that has most gives way. */
  #limit(line: Line): void {
    const most = this.#store ? limitPerDevice.onDisk : limitPerDevice.inMemory;
    this.#drop(line, lengthOf(line) - most);
    if (this.#store !== undefined && this.#store.bytes > limitOnDisk) {
      this.#drop(this.#longest(line), batchLimit);
      if (this.#isExact) this.#commit();
    }
  }

  #longest(first: Line): Line {
    let longest = first;
    for (const line of this.#devices.values()) {
      if (lengthOf(line) > lengthOf(longest)) longest = line;
    }
    return longest;
  }

  #drop(line: Line, over: number): void {
    if (over <= 0) return;
    this.#fill(line);
    const gone = Math.min(over, line.waiting.length);
    this.#take(line, gone);
    this.#fill(line);
    this.#outcomes.add(gone, { outcome: 'overflow' });
    this.#deps.log.error('edgecore is away for too long: the oldest samples of a device are lost', {
      device: line.key,
      count: gone,
    });
  }

  /** What a device that is gone has left is of no use to anybody. */
  forget(device: { namespace: string; name: string }): void {
    const key = `${device.namespace}/${device.name}`;
    const line = this.#devices.get(key);
    for (const sample of [...(line?.waiting ?? []), ...(line?.fresh ?? [])]) settle(sample);
    this.#devices.delete(key);
    this.#tryDisk((store) => store.remove(key, Number.MAX_SAFE_INTEGER));
  }

  /** The oldest ones leave, delivered or not. */
  #take(line: Line, count: number): void {
    const gone = line.waiting.splice(0, count);
    gone.forEach(settle);
    const id = gone.findLast((one) => one.id !== undefined)?.id;
    if (id === undefined) return;
    if (!this.#isExact) return this.#tryDisk((store) => store.remove(line.key, id));
    const { reports, since } = line.delivered;
    line.delivered = { upTo: id, reports: reports + 1, since: reports > 0 ? since : this.#deps.clock.monotonic() };
    if (line.delivered.reports >= maxUnremoved) this.#commit();
    else this.#unsaved.wake();
  }

  /** With `exact`: what is in memory alone goes to disk, and what has been delivered leaves it, in one transaction. */
  #commit(): void {
    const lines = [...this.#devices.values()];
    const all = lines.flatMap((line) => [
      ...line.waiting.filter(({ id }) => id === undefined).map((sample) => ({ line, device: line.key, sample })),
      ...line.fresh.map((sample) => ({ line, device: line.key, sample })),
    ]);
    const delivered = new Map(
      lines.filter((line) => line.delivered.reports > 0).map((line) => [line.key, line.delivered.upTo]),
    );
    if (all.length === 0 && delivered.size === 0) return;
    const ids = this.#tryDisk((store) => store.commit(all, delivered));
    if (!ids) return;
    all.forEach(({ sample }, n) => {
      sample.id = ids[n]!;
      settle(sample);
    });
    for (const line of lines) {
      line.delivered = { ...line.delivered, reports: 0 };
      line.behind += line.fresh.splice(0).length;
      if (line.waiting.length > windowSize) line.behind += line.waiting.splice(windowSize).length;
    }
  }

  /** Writes what is in memory alone. */
  #put(lines: Iterable<Line>): void {
    const all: { line: Line; device: string; sample: Waiting }[] = [];
    for (const line of lines) {
      for (const sample of line.waiting) if (sample.id === undefined) all.push({ line, device: line.key, sample });
    }
    const ids = all.length > 0 ? this.#write(all) : [];
    if (!ids) return;
    all.forEach(({ sample }, n) => (sample.id = ids[n]!));
    for (const { line } of all) {
      // A batch under way is at the head, and stays.
      if (line.waiting.length > windowSize) line.behind += line.waiting.splice(windowSize).length;
    }
  }

  #write(samples: readonly { readonly device: string; readonly sample: ReportedSample }[]): number[] | undefined {
    return this.#tryDisk((store) => store.add(samples));
  }

  /** A disk that fails costs what makes samples outlive the process, and not the samples. */
  #tryDisk<T>(work: (store: SampleStore) => T): T | undefined {
    if (!this.#store) return undefined;
    try {
      return work(this.#store);
    } catch (error) {
      this.#giveUpDisk(error);
      return undefined;
    }
  }

  #giveUpDisk(why: unknown): void {
    this.#deps.log.error('samples cannot be kept on disk: those that wait are lost if the mapper ends', { err: why });
    void this.#store?.close().catch(() => undefined);
    this.#store = undefined;
    this.#isBroken = true;
    for (const line of this.#devices.values()) {
      // The next process finds what is there.
      line.behind = 0;
      line.waiting.push(...line.fresh.splice(0));
      line.waiting.forEach(settle);
    }
  }

  async #openDisk(): Promise<void> {
    const { keep } = this.#deps;
    if (this.#store || this.#isBroken || !keep) return;
    try {
      this.#store = await keep.open();
    } catch (error) {
      this.#giveUpDisk(error);
    }
  }

  /** From now on, until everything is delivered, what waits does so on disk. */
  async #becomeLate(): Promise<void> {
    if (this.#isLate || !this.#deps.keep) return;
    await this.#openDisk();
    this.#isLate = this.#store !== undefined;
    if (this.#isExact) this.#commit();
    else this.#put(this.#devices.values());
  }

  /** Everything is delivered: a file that is open costs memory. */
  async #becomeCalm(): Promise<void> {
    this.#isLate = false;
    if (this.#deps.keep?.when === 'always' || !this.#store) return;
    if (this.#isExact) this.#commit();
    const store = this.#store;
    this.#store = undefined;
    await store?.close().catch((error: unknown) => this.#giveUpDisk(error));
  }

  /** Reads on where memory ends. */
  #fill(line: Line): void {
    if (line.waiting.length > 0 || line.behind === 0) return;
    const rows = this.#tryDisk((store) => store.next(line.key, line.delivered.upTo, windowSize)) ?? [];
    const since = this.#deps.clock.monotonic();
    line.waiting.push(...rows.map((row): Waiting => ({ ...row, maybeSent: false, since })));
    line.behind = rows.length < windowSize ? 0 : Math.max(0, line.behind - rows.length);
    if (line.behind === 0) line.waiting.push(...line.fresh.splice(0));
    for (let at = 0; line.doubtful > 0 && at < line.waiting.length; line.doubtful -= 1) {
      const report = firstOfEach(line.waiting.slice(at));
      for (const sample of report) sample.maybeSent = true;
      at += report.length;
    }
    line.doubtful = 0;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { keep, log } = this.#deps;
    if (keep && (keep.isThere || keep.when === 'always')) {
      await this.#openDisk();
      for (const { device, count } of this.#tryDisk((store) => store.devices()) ?? []) {
        const line = this.#line(device);
        line.behind = count;
        line.doubtful = keep.when === 'exact' ? maxUnremoved : 1;
        // What has come meanwhile is newer.
        const newer = line.waiting.splice(0);
        if (this.#isExact) line.fresh.push(...newer);
        else if (newer.length > 0 && this.#write(newer.map((sample) => ({ device, sample }))))
          line.behind += newer.length;
        this.#isLate = true;
      }
      if (this.size > 0) log.info('samples of an earlier run are delivered first', { count: this.size });
      if (this.#isExact) this.#commit();
      else this.#put(this.#devices.values());
    }
    try {
      await Promise.all([
        this.#deliver(signal),
        keep?.when === 'exact' ? this.#keepExact(signal) : this.#watch(signal),
      ]);
    } finally {
      if (this.size > 0) await this.#becomeLate();
      if (this.#isExact) this.#commit();
      else this.#put(this.#devices.values());
      await this.#store
        ?.close()
        .catch((error: unknown) => log.warn('the samples on disk did not close', { err: error }));
      this.#store = undefined;
    }
  }

  /** Sees to it that nobody waits for long in memory alone, whatever holds delivery up. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, keep } = this.#deps;
    while (keep && !signal.aborted) {
      if (this.size === 0) await this.#arrived.wait(signal).catch(() => undefined);
      else await clock.sleep('samples to be old', patience, signal).catch(() => undefined);
      if (signal.aborted) return;
      const now = clock.monotonic();
      const isOld = ({ waiting: [oldest] }: Line): boolean => oldest !== undefined && now - oldest.since >= patience;
      if (!this.#isLate && [...this.#devices.values()].some(isOld)) await this.#becomeLate();
    }
  }

  /** With `exact`: writes what edgecore has not taken in time, and with it all that has come since. */
  async #keepExact(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    while (this.#isExact && !signal.aborted) {
      const oldest = this.#oldestUnsaved();
      if (oldest === undefined) {
        await this.#unsaved.wait(signal).catch(() => undefined);
        continue;
      }
      const wait = oldest + exactPatience - clock.monotonic();
      if (wait > 0) {
        await clock.sleep('samples to be old', milliseconds(wait), signal).catch(() => undefined);
        continue;
      }
      await this.#openDisk();
      if (signal.aborted) return;
      this.#isLate = this.#store !== undefined;
      this.#commit();
    }
  }

  /** When it came; of what is delivered and still on disk, never long ago. */
  #oldestUnsaved(): number | undefined {
    let oldest: number | undefined;
    for (const line of this.#devices.values()) {
      // What is on disk is older than what is not.
      const saved = line.waiting.findLastIndex(({ id }) => id !== undefined);
      const first = line.waiting[saved + 1] ?? line.fresh[0];
      const since = line.delivered.reports > 0 ? line.delivered.since : undefined;
      for (const one of [first?.since, since]) {
        if (one !== undefined && (oldest === undefined || one < oldest)) oldest = one;
      }
    }
    return oldest;
  }

  /** For something to be sent; with `exact` the file is closed when that takes long. */
  async #waitForMore(signal: AbortSignal): Promise<void> {
    if (!this.#isExact || !this.#store) {
      await this.#becomeCalm();
      return this.#wake.wait(signal);
    }
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const woken = this.#wake.wait(either).then(() => true);
    const late = this.#deps.clock.sleep('samples to come', lingering, either).then(() => false);
    woken.catch(() => undefined);
    late.catch(() => undefined);
    try {
      if (!(await Promise.race([woken, late])) && this.size === 0) await this.#becomeCalm();
    } finally {
      stop.abort(rested);
    }
  }

  async #deliver(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#deps;
    const backoff = createBackoff({ first: seconds(0.2), max: seconds(2), jitter: 0.3, random });
    for (;;) {
      let failure: unknown;
      for (const line of this.#devices.values()) {
        this.#fill(line);
        if (line.waiting.length === 0) continue;
        failure = await this.#send(line, signal);
        if (signal.aborted) return;
        if (failure) break;
        backoff.reset();
      }
      if (failure) {
        await this.#becomeLate();
        const wait = backoff.next();
        if (!this.#away) log.warn('samples wait for edgecore', { err: failure, count: this.size });
        this.#away = true;
        await clock.sleep('edgecore to take samples', wait, signal).catch(() => undefined);
      } else if (this.size === 0) {
        await this.#waitForMore(signal).catch(() => undefined);
      }
      if (signal.aborted) return;
    }
  }

  /** What went wrong, if it is worth another try. */
  async #send(line: Line, signal: AbortSignal): Promise<unknown> {
    const { key, namespace, name, waiting } = line;
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
        this.#take(line, batch.length);
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
    this.#take(line, at);
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

const rested = new Error('the wait is over');
