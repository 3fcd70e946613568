// Devices that publish their values to an MQTT broker and listen there for what they are to do.
import { orAbort } from '@kedge/core/flow';
import type { Mqtt } from '@kedge/core/ports';
import { milliseconds } from '@kedge/core/time';
import {
  defineMapper,
  type DriverContext,
  fault,
  type MapperDriver,
  type Point,
  type RawValue,
  type Reading,
  refused,
  SharedConnections,
} from '../mapper-sdk/index.ts';
import { findAnnounced } from './announcements.ts';
import { Broker, type Heard, type Listener } from './broker.ts';
import { Payload, toPayload } from './payload.ts';
import {
  checkTopic,
  type MqttConfig,
  type MqttVisitor,
  protocolConfig,
  readBroker,
  readSource,
  type Source,
  visitorConfig,
} from './settings.ts';

export interface MqttDeps {
  /** Loaded when the first device asks for it. */
  mqtt(): Promise<Mqtt>;
}

/** How long a reading waits for what the broker has retained. */
const retainedWait = milliseconds(1_000);
/** Properties of one device. */
const maxPoints = 2_000;

export function createMqttMapper(deps: MqttDeps): MapperDriver<MqttConfig, MqttVisitor> {
  const brokers = new SharedConnections<Broker>();
  return defineMapper({
    name: 'mqtt-mapper',
    protocol: 'mqtt',
    version: '1.0.0',
    protocolConfig,
    visitorConfig,
    async open(config, context) {
      const settings = readBroker(config);
      const { availabilityTopic } = config;
      if (availabilityTopic) checkTopic(availabilityTopic, 'availabilityTopic', 'spec.protocol.configData');
      const mqtt = await deps.mqtt();
      const connect = (signal: AbortSignal): Promise<Broker> => {
        const clientId = settings.clientId ?? `kedge-${Math.floor(context.random.next() * 2 ** 40).toString(36)}`;
        return Broker.open(mqtt, settings, clientId, context.clock, signal);
      };
      // One that may be connected under another name or with other files is another connection.
      const { connection: broker, release } = await brokers.take(JSON.stringify(settings), connect, context.signal);
      const device = new Device(broker, config, context);
      try {
        await device.start();
      } catch (error) {
        device.close();
        release();
        throw error;
      }
      return {
        lost: broker.lost,
        read: (points, signal) => device.read(points, signal),
        write: (point, value) => device.write(point, value),
        subscribe: (points, onReadings, signal) => device.subscribe(points, onReadings, signal),
        offline: () => device.offline(),
        async close() {
          device.close();
          release();
        },
      };
    },
    discover: (options, context) => findAnnounced(deps, options, context),
  });
}

interface Watched {
  readonly point: Point<MqttVisitor>;
  readonly source: Source;
}

class Device implements Listener {
  readonly #broker: Broker;
  readonly #config: MqttConfig;
  readonly #context: DriverContext;
  readonly #watched = new Map<string, Watched>();
  readonly #byTopic = new Map<string, Watched[]>();
  readonly #latest = new Map<string, Reading>();
  /** Those who wait for the first message of a topic. */
  readonly #first = new Map<string, PromiseWithResolvers<void>>();
  #tell: ((readings: readonly Reading[]) => void) | undefined;
  #told = new Set<string>();
  #offline: Error | undefined;

  constructor(broker: Broker, config: MqttConfig, context: DriverContext) {
    this.#broker = broker;
    this.#config = config;
    this.#context = context;
  }

  async start(): Promise<void> {
    const { availabilityTopic, qos } = this.#config;
    if (availabilityTopic) await this.#broker.listen(availabilityTopic, qos, this);
  }

  onMessage(topic: string, message: Heard): void {
    if (topic === this.#config.availabilityTopic) this.#noteAvailability(message);
    const watched = this.#byTopic.get(topic);
    if (!watched) return;
    const payload = new Payload(message.payload);
    const readings = watched.map(({ point, source }) => this.#read(point, source, payload, message));
    for (const reading of readings) this.#latest.set(reading.property, reading);
    this.#first.get(topic)?.resolve();
    this.#tell?.(readings.filter(({ property }) => this.#told.has(property)));
  }

  #read({ property, visitor }: Point<MqttVisitor>, source: Source, payload: Payload, { length, at }: Heard): Reading {
    const { maxPayload } = this.#config;
    if (length > maxPayload) {
      const error = fault('TooLong', `a message of ${length} bytes on "${source.topic}"; maxPayload is ${maxPayload}`);
      return { property, error };
    }
    try {
      return { property, value: payload.value(source, visitor), at };
    } catch (error) {
      return { property, error: error as Error };
    }
  }

  #noteAvailability({ payload }: Heard): void {
    const { availabilityTopic, payloadAvailable, payloadNotAvailable } = this.#config;
    const word = new TextDecoder().decode(payload.subarray(0, 4_096)).trim();
    if (word === payloadNotAvailable) {
      this.#offline = fault('Unavailable', `the device says "${word}" on "${availabilityTopic}"`);
    } else if (word === payloadAvailable) this.#offline = undefined;
    else return this.#context.log.debug('availability is neither word', { key: availabilityTopic });
    this.#tell?.([]);
  }

  offline(): Error | undefined {
    return this.#offline;
  }

  /** Listens to what has not been listened to; resolves with the properties for which that was impossible. */
  async #watch(points: readonly Point<MqttVisitor>[]): Promise<Reading[]> {
    const failed: Reading[] = [];
    await Promise.all(
      points.map(async (point) => {
        const { property, visitor } = point;
        if (this.#watched.has(property)) return;
        try {
          if (this.#watched.size >= maxPoints) throw fault('TooManyProperties', `more than ${maxPoints} properties`);
          const source = readSource(visitor, property);
          const watched: Watched = { point, source };
          this.#watched.set(property, watched);
          const others = this.#byTopic.get(source.topic) ?? [];
          this.#byTopic.set(source.topic, [...others, watched]);
          if (!this.#first.has(source.topic)) this.#first.set(source.topic, Promise.withResolvers());
          await this.#broker.listen(source.topic, visitor.qos ?? this.#config.qos, this);
        } catch (error) {
          this.#forget(property);
          failed.push({ property, error: error as Error });
        }
      }),
    );
    return failed;
  }

  /** So that it is tried again. */
  #forget(property: string): void {
    const topic = this.#watched.get(property)?.source.topic;
    this.#watched.delete(property);
    if (topic === undefined) return;
    const left = (this.#byTopic.get(topic) ?? []).filter(({ point }) => point.property !== property);
    if (left.length > 0) this.#byTopic.set(topic, left);
    else this.#byTopic.delete(topic);
  }

  /** The last value of each; one that was never listened to before is waited for, as the broker may have retained it. */
  async read(points: readonly Point<MqttVisitor>[], signal: AbortSignal): Promise<Reading[]> {
    this.#broker.throwIfLost();
    const fresh = points.filter(({ property }) => !this.#watched.has(property));
    const readings = await this.#watch(points);
    const topics = fresh.flatMap(({ property }) => this.#watched.get(property)?.source.topic ?? []);
    await this.#firstOf(topics, signal);
    const failed = new Set(readings.map(({ property }) => property));
    for (const { property, visitor } of points) {
      if (failed.has(property)) continue;
      const nothing = (): Reading => ({
        property,
        error: fault(
          'NoValue',
          `nothing has come on "${visitor.topic}" yet, and the broker has nothing retained there`,
        ),
      });
      readings.push(this.#latest.get(property) ?? nothing());
    }
    return readings;
  }

  async #firstOf(topics: readonly string[], outer: AbortSignal): Promise<void> {
    const waiting = topics.flatMap((topic) => this.#first.get(topic)?.promise ?? []);
    if (waiting.length === 0) return;
    const stop = new AbortController();
    const signal = AbortSignal.any([outer, stop.signal]);
    const enough = this.#context.clock.sleep('retained messages', retainedWait, signal);
    enough.catch(() => undefined);
    try {
      const gone = this.#broker.lost.then((error) => Promise.reject(error));
      await orAbort(Promise.race([Promise.all(waiting), enough, gone]), outer);
    } finally {
      stop.abort(over);
    }
  }

  async subscribe(
    points: readonly Point<MqttVisitor>[],
    onReadings: (readings: readonly Reading[]) => void,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    this.#told = new Set(points.map(({ property }) => property));
    this.#tell = onReadings;
    signal.addEventListener('abort', () => (this.#tell = undefined), { once: true });
    // What was listened to before has said what it had to say.
    const known = points.flatMap(({ property }) => this.#latest.get(property) ?? []);
    const failed = await this.#watch(points);
    onReadings([...known, ...failed]);
    // What cannot be listened to is tried again in its cycle: an access list may change.
    return failed.map(({ property }) => property);
  }

  async write(point: Point<MqttVisitor>, value: RawValue): Promise<void> {
    const { property, visitor } = point;
    const { writeTopic, retain } = visitor;
    if (!writeTopic) throw refused(`"${property}"`, 'writeTopic is not set: it says where values are published');
    readSource(visitor, property);
    const qos = visitor.qos ?? this.#config.qos;
    await this.#broker.publish({ topic: writeTopic, payload: toPayload(point, value), qos, retain });
  }

  close(): void {
    this.#tell = undefined;
    this.#broker.leave(this);
    for (const { resolve } of this.#first.values()) resolve();
  }
}

const over = new Error('the wait is over');
