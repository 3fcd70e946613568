// One device: connects and connects again, gives it what is desired, reads what is due, and says how it is.
import { createBackoff, orAbort, Wakeup } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Random } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, seconds, withTimeout } from '@kedge/core/time';
import { type DeviceSettings, onlyDesiredDiffers, type PropertySettings } from './device-settings.ts';
import type { Connection, MapperDriver, Point, RawValue, Reading } from './driver.ts';
import { readConfig } from './read-config.ts';
import { isWorthTelling, type Told } from './report-filter.ts';
import type { ReportedSample } from './sample-line.ts';
import { describeFault, mapperErrors } from './sdk-errors.ts';
import { fromText, rangeFault, toText } from './values.ts';

export type DeviceState = 'online' | 'offline' | 'unhealthy';

export interface StateCondition {
  readonly type: 'Configured' | 'Communicating' | 'ValuesUsable' | 'Desired';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** Where what a device says goes. */
export interface DeviceSink {
  /** A promise: they count as handed over only once it resolves, and the device is not read again before. */
  report(samples: readonly ReportedSample[]): Promise<void> | undefined;
  push(property: PropertySettings, sample: ReportedSample): void;
  /** All conditions as they are now. */
  state(state: DeviceState, conditions: readonly StateCondition[]): void;
}

export interface DeviceRunnerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly sink: DeviceSink;
}

const openTimeout = seconds(20);
const callTimeout = seconds(10);
/** A desired value that the device refused is offered again after this. */
const desiredRetry = seconds(30);

interface Live<V> {
  readonly connection: Connection<V>;
  readonly points: ReadonlyMap<string, Point<V>>;
  /** Properties that the device tells of by itself. */
  polled: ReadonlySet<string>;
}

export class DeviceRunner<C, V> {
  readonly #driver: MapperDriver<C, V>;
  readonly #deps: DeviceRunnerDeps;
  readonly #log: Log;
  #settings: DeviceSettings;
  /** A device may have a thousand of them, and each reading asks for its own. */
  #named: { readonly of: DeviceSettings | undefined; readonly properties: ReadonlyMap<string, PropertySettings> } = {
    of: undefined,
    properties: new Map(),
  };
  #live: Live<V> | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  readonly #wake = new Wakeup();
  readonly #stop = new AbortController();
  #restart = new AbortController();
  readonly #told = new Map<string, Told>();
  /** What the device has been given, by property. */
  readonly #given = new Map<string, string>();
  readonly #refusedUntil = new Map<string, number>();
  readonly #conditions = new Map<string, StateCondition>();
  readonly #faults = new Map<
    string,
    { kind: 'Communicating' | 'ValuesUsable' | 'Desired' | 'Configured'; error: unknown }
  >();
  /** The newest reading that a subscription or a confirmation gave, by property. */
  readonly #newest = new Map<string, { at: number; value: RawValue }>();
  #state: DeviceState = 'offline';
  /** The device says of itself that it is not there. */
  #isAway = false;
  #last = '';

  constructor(driver: MapperDriver<C, V>, settings: DeviceSettings, deps: DeviceRunnerDeps) {
    this.#driver = driver;
    this.#settings = settings;
    this.#deps = deps;
    this.#log = deps.log.child({ device: `${settings.namespace}/${settings.name}` });
  }

  get settings(): DeviceSettings {
    return this.#settings;
  }

  get state(): DeviceState {
    return this.#state;
  }

  /** A new desired value is written; everything else means connecting anew. */
  update(settings: DeviceSettings): void {
    const gentle = onlyDesiredDiffers(this.#settings, settings);
    this.#settings = settings;
    this.#refusedUntil.clear();
    if (gentle) this.#wake.wake();
    else {
      this.#given.clear();
      this.#faults.clear();
      this.#restart.abort(changed);
    }
  }

  stop(): void {
    this.#stop.abort(stopped);
  }

  async run(outer: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([outer, this.#stop.signal]);
    const { clock, random } = this.#deps;
    const backoff = createBackoff({ first: seconds(1), max: seconds(60), jitter: 0.3, random: () => random.next() });
    while (!signal.aborted) {
      this.#restart = new AbortController();
      const session = AbortSignal.any([signal, this.#restart.signal]);
      let failure: unknown;
      try {
        await this.#session(session, () => backoff.reset());
      } catch (error) {
        failure = error;
      }
      if (signal.aborted) return;
      if (this.#restart.signal.aborted) {
        backoff.reset();
        continue;
      }
      const kind = mapperErrors.BAD_CONFIG.is(failure) ? 'Configured' : 'Communicating';
      this.#setFault('', kind, failure);
      this.#setState('offline');
      const wait = backoff.next();
      this.#log.warn('device is not connected', { err: failure, retryInMs: wait });
      // A configuration that cannot be used gets no better by itself: only an update ends this wait early.
      await clock.sleep('reconnect', kind === 'Configured' ? seconds(60) : wait, session).catch(() => undefined);
    }
  }

  /** Connects and stays until the connection breaks. */
  async #session(outer: AbortSignal, onConnected: () => void): Promise<void> {
    const { clock, random } = this.#deps;
    const { namespace, name, protocolConfig, properties } = this.#settings;
    const ended = new AbortController();
    const signal = AbortSignal.any([outer, ended.signal]);
    const config = readConfig(this.#driver.protocolConfig, protocolConfig, 'spec.protocol.configData');
    const points = this.#readPoints(properties);
    const opening = this.#driver.open(config, { clock, random, log: this.#log, signal });
    let connection: Connection<V>;
    try {
      connection = await orAbort(
        withTimeout(clock, 'device to connect', openTimeout, opening, () =>
          mapperErrors.TIMED_OUT({ what: `connecting to ${namespace}/${name}`, afterMs: openTimeout }),
        ),
        signal,
      );
    } catch (error) {
      ended.abort(closing);
      // It may still come: then nobody wants it any more.
      opening.then((late) => late.close()).catch(() => undefined);
      throw error;
    }
    const live: Live<V> = { connection, points, polled: new Set(points.keys()) };
    try {
      this.#live = live;
      // It may have been restarted, or be another one: what it was given counts for nothing.
      this.#given.clear();
      this.#newest.clear();
      this.#isAway = false;
      onConnected();
      this.#clearFault('');
      this.#log.info('device connected');
      this.#setState(this.#faults.size > 0 ? 'unhealthy' : 'online');
      const lost = connection.lost?.then((error) => Promise.reject(error));
      await Promise.race([this.#serve(live, signal), ...(lost ? [lost] : [])]);
    } finally {
      this.#live = undefined;
      ended.abort(closing);
      await withTimeout(clock, 'device to close', callTimeout, connection.close(), () => closing).catch(
        (error: unknown) => this.#log.debug('connection did not close properly', { err: error }),
      );
    }
  }

  /** A property whose visitor cannot be used is left out, the others work. */
  #readPoints(properties: readonly PropertySettings[]): Map<string, Point<V>> {
    const points = new Map<string, Point<V>>();
    for (const { name, type, access, visitor, conversion } of properties) {
      try {
        const where = `property "${name}": visitors.configData`;
        const cycle = this.#cycleOf(name);
        points.set(name, {
          property: name,
          type,
          access,
          visitor: readConfig(this.#driver.visitorConfig, visitor, where),
          ...(cycle === undefined ? {} : { cycle }),
          ...(conversion.deadband === undefined ? {} : { deadband: conversion.deadband / Math.abs(conversion.scale) }),
        });
        this.#clearFault(name, 'Configured');
      } catch (error) {
        this.#setFault(name, 'Configured', error);
      }
    }
    return points;
  }

  async #serve(live: Live<V>, signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps;
    if (live.connection.subscribe) {
      const wanted = [...live.points.values()].filter(({ cycle }) => cycle !== undefined);
      const polled = await this.#exclusive(
        'subscribing',
        signal,
        (within) =>
          live.connection.subscribe!(
            wanted,
            (readings) =>
              void this.#take(
                readings.filter((one) => this.#isNews(one)),
                new Set(),
              ),
            AbortSignal.any([signal, within]),
          ),
        signal,
      );
      live.polled = new Set(polled ?? []);
    }
    const due = new Map<string, number>();
    for (;;) {
      await this.#writeDesired(live, signal);
      const now = clock.monotonic();
      const ready: Point<V>[] = [];
      for (const [name, point] of live.points) {
        const cycle = live.polled.has(name) ? this.#cycleOf(name) : undefined;
        if (cycle === undefined) continue;
        const at = due.get(name) ?? now;
        if (at > now) continue;
        ready.push(point);
        // In step with the clock; a device that is slower than its cycle is read as often as it allows.
        due.set(name, Math.max(at + cycle, now));
      }
      if (ready.length > 0 && !this.#isAway) await this.#read(live, ready, signal);
      const next = Math.min(...due.values(), now + desiredRetry);
      await this.#rest(milliseconds(Math.max(0, next - clock.monotonic())), signal);
    }
  }

  async #rest(wait: Duration, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const either = AbortSignal.any([signal, stop.signal]);
    const sleeping = this.#deps.clock.sleep('next reading', wait, either);
    const woken = this.#wake.wait(either);
    sleeping.catch(() => undefined);
    woken.catch(() => undefined);
    try {
      await Promise.race([sleeping, woken]);
    } finally {
      stop.abort(stopped);
    }
  }

  #property(name: string): PropertySettings | undefined {
    if (this.#named.of !== this.#settings) {
      const { properties } = this.#settings;
      this.#named = {
        of: this.#settings,
        properties: new Map(properties.map((property) => [property.name, property])),
      };
    }
    return this.#named.properties.get(name);
  }

  /** How often a property is read; undefined: only when asked for. */
  #cycleOf(name: string): Duration | undefined {
    const property = this.#property(name);
    if (!property || property.type === 'STREAM') return undefined;
    const cycles = [
      ...(property.reportToCloud ? [property.collectCycle] : []),
      ...(property.push ? [property.reportCycle] : []),
    ];
    return cycles.length === 0 ? undefined : milliseconds(Math.min(...cycles));
  }

  async #read(live: Live<V>, points: readonly Point<V>[], signal: AbortSignal): Promise<void> {
    const began = this.#deps.clock.monotonic();
    const asked = new Set(points.map(({ property }) => property));
    const readings = await this.#exclusive('reading', signal, (within) => live.connection.read(points, within));
    this.#deps.metrics
      .histogram('kedge_mapper_read_seconds', 'How long reading a device took.', [0.005, 0.02, 0.1, 0.5, 2, 10])
      .observe((this.#deps.clock.monotonic() - began) / 1_000);
    const handedOver = this.#take(readings, asked);
    if (handedOver) await orAbort(handedOver, signal);
  }

  /** What a subscription tells may have been overtaken by a reading that confirmed a write. */
  #isNews(reading: Reading): boolean {
    if ('error' in reading || reading.at === undefined) return true;
    const { property, at, value } = reading;
    const newest = this.#newest.get(property);
    if (newest && (at < newest.at || (at === newest.at && value === newest.value))) return false;
    this.#newest.set(property, { at, value });
    return true;
  }

  /** A device that tells of changes has nothing to tell when it had the desired value already. */
  async #confirm(live: Live<V>, point: Point<V>, signal: AbortSignal): Promise<void> {
    const readings = await this.#exclusive(`reading "${point.property}"`, signal, (within) =>
      live.connection.read([point], within),
    );
    for (const reading of readings) this.#isNews(reading);
    // One that has nothing to say yet is in no trouble for that.
    void this.#take(
      readings.filter((one) => !('error' in one)),
      new Set(),
    );
  }

  #take(readings: readonly Reading[], asked: ReadonlySet<string>): Promise<void> | undefined {
    const { sink, clock } = this.#deps;
    const missing = new Set(asked);
    const samples: ReportedSample[] = [];
    for (const reading of readings) {
      const property = this.#property(reading.property);
      if (!property) continue;
      missing.delete(reading.property);
      if ('error' in reading) {
        this.#setFault(property.name, 'Communicating', reading.error);
        continue;
      }
      this.#clearFault(property.name, 'Communicating');
      let value: string;
      try {
        value = toText(reading.value, property);
      } catch (error) {
        this.#setFault(property.name, 'ValuesUsable', error);
        continue;
      }
      const outside = rangeFault(value, property);
      if (outside) this.#setFault(property.name, 'ValuesUsable', outside);
      else this.#clearFault(property.name, 'ValuesUsable');
      const observedDesired = this.#given.get(property.name) ?? '';
      const at = reading.at ?? clock.now();
      const sample = { property: property.name, value, observedDesired, type: property.type.toLowerCase(), at };
      const told = { text: value, at, observedDesired };
      if (property.push) sink.push(property, sample);
      if (!property.reportToCloud || !isWorthTelling(property, this.#told.get(property.name), told)) continue;
      this.#told.set(property.name, told);
      samples.push(sample);
    }
    for (const name of missing) {
      this.#setFault(
        name,
        'Communicating',
        mapperErrors.FAULT({ reason: 'NoReading', message: 'the driver gave no reading' }),
      );
    }
    const handedOver = samples.length > 0 ? sink.report(samples) : undefined;
    this.#settle();
    return handedOver;
  }

  async #writeDesired(live: Live<V>, signal: AbortSignal): Promise<void> {
    if (this.#isAway) return;
    const now = this.#deps.clock.monotonic();
    for (const property of this.#settings.properties) {
      const { name, desired, access } = property;
      if (desired === '') {
        this.#given.delete(name);
        continue;
      }
      const point = live.points.get(name);
      if (!point || access === 'ReadOnly' || this.#given.get(name) === desired) continue;
      if ((this.#refusedUntil.get(name) ?? 0) > now) continue;
      try {
        await this.#write(live, point, fromText(desired, property), signal);
        this.#given.set(name, desired);
        this.#told.delete(name);
        this.#clearFault(name, 'Desired');
        this.#log.info('desired value written', { key: name });
        if (!live.polled.has(name) && point.cycle !== undefined) await this.#confirm(live, point, signal);
      } catch (error) {
        if (!isHarmless(error)) throw error;
        this.#refusedUntil.set(name, now + desiredRetry);
        this.#setFault(name, 'Desired', error);
      }
    }
    this.#settle();
  }

  #write(live: Live<V>, point: Point<V>, value: RawValue, signal: AbortSignal): Promise<void> {
    const { connection } = live;
    if (!connection.write)
      throw mapperErrors.REFUSED({ what: `writing "${point.property}"`, reason: 'this protocol only reads' });
    return this.#exclusive(`writing "${point.property}"`, signal, (within) => connection.write!(point, value, within));
  }

  /** Reads a property now, whatever its cycle. */
  async readNow(property: string, signal: AbortSignal): Promise<ReportedSample> {
    const settings = this.#property(property);
    const { live, point } = this.#pointOf(property);
    const [reading] = await this.#exclusive(`reading "${property}"`, signal, (within) =>
      live.connection.read([point], within),
    );
    if (!reading || !settings) throw mapperErrors.FAULT({ reason: 'NoReading', message: 'the driver gave no reading' });
    if ('error' in reading) throw reading.error;
    return {
      property,
      value: toText(reading.value, settings),
      observedDesired: this.#given.get(property) ?? '',
      type: settings.type.toLowerCase(),
      at: reading.at ?? this.#deps.clock.now(),
    };
  }

  /** Writes a property now; what is desired stays as it is. */
  async writeNow(property: string, text: string, signal: AbortSignal): Promise<void> {
    const settings = this.#property(property);
    const { live, point } = this.#pointOf(property);
    if (settings?.access === 'ReadOnly')
      throw mapperErrors.REFUSED({ what: `writing "${property}"`, reason: 'it is ReadOnly' });
    await this.#write(live, point, fromText(text, settings!), signal);
    this.#wake.wake();
  }

  /** A method of the driver's; undefined: it has none of that name. */
  async call(
    method: string,
    args: Readonly<Record<string, RawValue>>,
    signal: AbortSignal,
  ): Promise<{ readonly result?: RawValue } | undefined> {
    const live = this.#connected();
    if (!live.connection.call) return undefined;
    const points = Object.keys(args).flatMap((name) => live.points.get(name) ?? []);
    return this.#exclusive(`calling "${method}"`, signal, (within) =>
      live.connection.call!(method, args, within, points),
    );
  }

  #connected(): Live<V> {
    if (this.#live) return this.#live;
    throw mapperErrors.NOT_CONNECTED({ device: `${this.#settings.namespace}/${this.#settings.name}` });
  }

  #pointOf(property: string): { live: Live<V>; point: Point<V> } {
    if (!this.#property(property)) throw mapperErrors.NOT_THERE({ what: `property "${property}"` });
    const live = this.#connected();
    const point = live.points.get(property);
    const fault = this.#faults.get(`${property} Configured`);
    if (!point) throw fault?.error ?? mapperErrors.NOT_THERE({ what: `property "${property}"` });
    return { live, point };
  }

  /** One call at a time, each with a deadline; `holding` outlives the call and is the driver's for as long as it lasts. */
  #exclusive<T>(
    what: string,
    signal: AbortSignal,
    work: (within: AbortSignal) => Promise<T>,
    holding?: AbortSignal,
  ): Promise<T> {
    const turn = this.#turn.then(async () => {
      signal.throwIfAborted();
      const ended = new AbortController();
      const within = holding ?? AbortSignal.any([signal, ended.signal]);
      try {
        const late = () => mapperErrors.TIMED_OUT({ what, afterMs: callTimeout });
        return await orAbort(withTimeout(this.#deps.clock, what, callTimeout, work(within), late), signal);
      } finally {
        ended.abort(closing);
      }
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #setFault(property: string, kind: 'Communicating' | 'ValuesUsable' | 'Desired' | 'Configured', error: unknown): void {
    const key = `${property} ${kind}`;
    const known = this.#faults.get(key);
    this.#faults.set(key, { kind, error });
    const { reason, message } = describeFault(error);
    if (known && describeFault(known.error).message === message) return;
    if (property !== '') this.#log.warn('property is in trouble', { key: property, reason: `${reason}: ${message}` });
  }

  #clearFault(property: string, kind?: string): void {
    if (kind !== undefined) this.#faults.delete(`${property} ${kind}`);
    else for (const key of this.#faults.keys()) if (key.startsWith(`${property} `)) this.#faults.delete(key);
  }

  /** After a round: how the device is. */
  #settle(): void {
    if (!this.#live) return;
    const away = this.#live.connection.offline?.();
    if (away) {
      this.#isAway = true;
      this.#setFault('', 'Communicating', away);
      return this.#setState('offline');
    }
    if (this.#isAway) {
      // As after connecting anew.
      this.#isAway = false;
      this.#given.clear();
      this.#clearFault('');
      this.#wake.wake();
    }
    const troubled = [...this.#faults.values()].some(({ kind }) => kind !== 'Desired' && kind !== 'ValuesUsable');
    this.#setState(troubled ? 'unhealthy' : 'online');
  }

  #setState(state: DeviceState): void {
    this.#state = state;
    for (const type of ['Configured', 'Communicating', 'ValuesUsable', 'Desired'] as const) {
      const found = [...this.#faults].filter(([, { kind }]) => kind === type);
      this.#conditions.set(
        type,
        toCondition(
          type,
          found.map(([key, { error }]) => [key.split(' ')[0]!, error]),
        ),
      );
    }
    const conditions = [...this.#conditions.values()];
    const now = JSON.stringify([state, conditions]);
    if (now === this.#last) return;
    this.#last = now;
    this.#deps.sink.state(state, conditions);
  }

  /** Says again how the device is. */
  repeatState(): void {
    this.#deps.sink.state(this.#state, [...this.#conditions.values()]);
  }
}

const changed = new Error('the device was changed');
const stopped = new Error('the device was taken away');
const closing = new Error('the connection is closed');

/** What concerns one value or one property, as opposed to the connection. */
const isHarmless = (error: unknown): boolean =>
  mapperErrors.REFUSED.is(error) || mapperErrors.BAD_VALUE.is(error) || mapperErrors.FAULT.is(error);

const fine = {
  Configured: 'the mapper can use the configuration',
  Communicating: 'the device answers',
  ValuesUsable: 'values are of their type and in range',
  Desired: 'the device has taken what is desired',
} as const;

function toCondition(
  type: StateCondition['type'],
  faults: readonly [property: string, error: unknown][],
): StateCondition {
  const [first] = faults;
  if (!first) return { type, status: 'True', reason: 'AsExpected', message: fine[type] };
  const { reason, message } = describeFault(first[1]);
  const named = first[0] === '' || message.includes(`"${first[0]}"`) ? message : `property "${first[0]}": ${message}`;
  const more = faults.length > 1 ? ` (and ${faults.length - 1} more properties)` : '';
  return { type, status: 'False', reason, message: named + more };
}
