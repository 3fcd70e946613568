// OPC UA devices: nodes are properties, subscribed to where the server has subscriptions; so are methods, and events of a node.
import {
  AttributeIds,
  type ClientSubscription,
  type DataValue,
  DataChangeFilter,
  DataChangeTrigger,
  DeadbandType,
  TimestampsToReturn,
  type Variant,
} from 'node-opcua-client';
import { type Duration, milliseconds } from '@kedge/core/time';
import {
  defineMapper,
  type DriverContext,
  fault,
  type MapperDriver,
  mapperErrors,
  type Point,
  type RawValue,
  type Reading,
  refused,
  SharedConnections,
} from '../mapper-sdk/index.ts';
import { findVariables } from './browse.ts';
import { eventFilter, readEvent } from './events.ts';
import { callMethod, findMethod } from './methods.ts';
import { faultOf, Server } from './server.ts';
import {
  checkVisitor,
  kindOf,
  type OpcuaConfig,
  type OpcuaVisitor,
  protocolConfig,
  readSettings,
  visitorConfig,
} from './settings.ts';
import { toRaw, toVariant } from './values.ts';

export interface OpcuaDeps {
  /** Where the mapper's own certificate and the trust list are. */
  readonly directory: string;
}

/** Nodes in one request; servers set limits, and this is below those that were met. */
const atOnce = 100;
const fastest = 50;
/** Samples that the server keeps for an item between two messages. */
const queueSize = 20;
/** Of events, for bursts: each counts. */
const eventQueueSize = 1_000;
/** The bit of the attribute EventNotifier. */
const subscribeToEvents = 1;
/** Who tells of what concerns the server as a whole, by the standard. */
const serverNode = 'i=2253';
/** A time of the server's is believed when it is about now: clocks of devices may be years off. */
const believed = { past: 600_000, future: 60_000 };

export function createOpcuaMapper({ directory }: OpcuaDeps): MapperDriver<OpcuaConfig, OpcuaVisitor> {
  const servers = new SharedConnections<Server>();
  return defineMapper({
    name: 'opcua-mapper',
    protocol: 'opcua',
    version: '1.0.0',
    protocolConfig,
    visitorConfig,
    async open(config, context) {
      const settings = readSettings(config);
      const { clock, log } = context;
      const connect = (signal: AbortSignal): Promise<Server> =>
        Server.open(settings, { directory, clock, log }, signal);
      const { connection: server, release } = await servers.take(JSON.stringify(settings), connect, context.signal);
      const device = new Device(server, context);
      return {
        lost: server.lost,
        read: (points) => device.read(points),
        write: (point, value) => device.write(point, value),
        subscribe: (points, onReadings, signal) => device.subscribe(points, onReadings, signal),
        call: (_, args, __, points) => device.call(args, points),
        async close() {
          release();
        },
      };
    },
    discover: (options, context) => findVariables(directory, options, context),
  });
}

interface Item {
  readonly point: Point<OpcuaVisitor>;
  readonly nodeId: string;
}

class Device {
  readonly #server: Server;
  readonly #context: DriverContext;
  readonly #ids = new Map<string, string>();
  readonly #methods = new Map<string, Awaited<ReturnType<typeof findMethod>>>();
  readonly #lastEvents = new Map<
    string,
    { readonly property: string; readonly value: RawValue; readonly at: number }
  >();
  /** Why there are none. */
  readonly #eventFaults = new Map<string, Error>();
  /** Readings of these carry the server's time, so that they can be told from what the subscription says. */
  readonly #subscribed = new Set<string>();

  constructor(server: Server, context: DriverContext) {
    this.#server = server;
    this.#context = context;
  }

  async #resolve(points: readonly Point<OpcuaVisitor>[]): Promise<{ items: Item[]; failed: Reading[] }> {
    const items: Item[] = [];
    const failed: Reading[] = [];
    for (const point of points) {
      const { property, visitor } = point;
      try {
        checkVisitor(visitor, property);
        const nodeId = this.#ids.get(property) ?? (await this.#nodeOf(visitor, property));
        this.#ids.set(property, nodeId);
        items.push({ point, nodeId });
      } catch (error) {
        this.#server.throwIfLost();
        failed.push({ property, error: asReading(error) });
      }
    }
    return { items, failed };
  }

  async #nodeOf(visitor: OpcuaVisitor, property: string): Promise<string> {
    const isServer = kindOf(visitor) === 'event' && !visitor.nodeID && !visitor.browseName;
    return isServer ? serverNode : this.#server.resolve(visitor, property);
  }

  async read(points: readonly Point<OpcuaVisitor>[]): Promise<Reading[]> {
    this.#server.throwIfLost();
    const of = Map.groupBy(points, ({ visitor }) => kindOf(visitor));
    const { items, failed } = await this.#resolve(of.get('variable') ?? []);
    const readings = failed;
    for (const { property } of of.get('event') ?? []) readings.push(this.#lastEvent(property));
    for (const { property } of of.get('method') ?? []) {
      readings.push({ property, error: fault('NoValue', 'it is a method, which has no value: call it') });
    }
    for (const some of inPieces(items, atOnce)) {
      const values = await this.#server.session.read(
        some.map(({ nodeId }) => ({ nodeId, attributeId: AttributeIds.Value })),
      );
      some.forEach(({ point: { property } }, n) => readings.push(this.#toReading(property, values[n])));
    }
    return readings;
  }

  #toReading(property: string, value: DataValue | undefined): Reading {
    if (!value) return { property, error: fault('NoReading', 'the server gave no value') };
    // Uncertain values are values.
    if (value.statusCode.isBad()) return { property, error: faultOf(value.statusCode) };
    try {
      const raw = toRaw(value.value);
      return this.#subscribed.has(property)
        ? { property, value: raw, at: this.#timeOf(value) }
        : { property, value: raw };
    } catch (error) {
      return { property, error: asReading(error) };
    }
  }

  #timeOf({ sourceTimestamp, serverTimestamp }: DataValue): number {
    return this.#believe(sourceTimestamp ?? serverTimestamp ?? undefined);
  }

  #believe(time: Date | undefined): number {
    const now = this.#context.clock.now();
    const at = time?.getTime() ?? now;
    return at >= now - believed.past && at <= now + believed.future ? at : now;
  }

  /** What the server will not subscribe to, for whatever reason, is polled: then its fault is found, and when it ends. */
  async subscribe(
    points: readonly Point<OpcuaVisitor>[],
    onReadings: (readings: readonly Reading[]) => void,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    // Methods have nothing to tell.
    const telling = points.filter(({ visitor }) => kindOf(visitor) !== 'method');
    const { items, failed } = await this.#resolve(telling);
    for (const one of failed) if ('error' in one) this.#eventFaults.set(one.property, one.error);
    const polled = failed.map(({ property }) => property);
    if (items.length === 0) return polled;
    const subscription = await this.#openSubscription(items, signal);
    if (!subscription) return telling.map(({ property }) => property);
    let waiting: Reading[] = [];
    const tell = (reading: Reading): void => {
      if (signal.aborted) return;
      // What comes in one message is told in one go.
      if (waiting.length === 0) {
        queueMicrotask(() => {
          const all = waiting;
          waiting = [];
          if (!signal.aborted) onReadings(all);
        });
      }
      waiting.push(reading);
    };
    const of = Map.groupBy(items, ({ point }) => kindOf(point.visitor));
    for (const some of groups(of.get('variable') ?? [])) {
      const refusedItems = await this.#monitor(subscription, some, tell);
      polled.push(...refusedItems.map(({ point }) => point.property));
    }
    for (const item of of.get('event') ?? []) {
      if (!(await this.#listen(subscription, item, tell))) polled.push(item.point.property);
    }
    return polled;
  }

  /** False: the server tells of no events there. */
  async #listen(
    subscription: ClientSubscription,
    { point: { property, visitor }, nodeId }: Item,
    tell: (reading: Reading) => void,
  ): Promise<boolean> {
    // Some servers let any node be listened to, and nothing ever comes.
    const notifier = await this.#server.session.read({ nodeId, attributeId: AttributeIds.EventNotifier });
    const tells = notifier.statusCode.isGood() && (Number(notifier.value.value) & subscribeToEvents) !== 0;
    if (!tells) {
      const why = `${nodeId} tells of no events: name an object that does, or leave nodeID out for those of the server`;
      this.#eventFaults.set(property, fault('NoEvents', why));
      return false;
    }
    const group = await subscription.monitorItems(
      [{ nodeId, attributeId: AttributeIds.EventNotifier }],
      { samplingInterval: 0, discardOldest: true, queueSize: eventQueueSize, filter: eventFilter(visitor) },
      TimestampsToReturn.Both,
    );
    const status = group.monitoredItems[0]?.statusCode;
    if (status?.isGood() !== true) {
      this.#eventFaults.set(
        property,
        status ? faultOf(status) : fault('NoEvents', 'the server does not answer for it'),
      );
      return false;
    }
    this.#eventFaults.delete(property);
    // For events the library hands over their fields, whatever it declares.
    group.on('changed', (_, fields: unknown) => {
      const event = readEvent(fields as Variant[], visitor);
      if (!event) return;
      // Each is told, also of two at one time, and in the order in which they come.
      const before = this.#lastEvents.get(property);
      const at = Math.max(this.#believe(event.time), before === undefined ? 0 : before.at + 1);
      const reading = { property, value: event.value, at };
      this.#lastEvents.set(property, reading);
      tell(reading);
    });
    return true;
  }

  #lastEvent(property: string): Reading {
    const error = this.#eventFaults.get(property);
    if (error) return { property, error };
    return this.#lastEvents.get(property) ?? { property, error: fault('NoValue', 'no event has come yet') };
  }

  async #openSubscription(items: readonly Item[], signal: AbortSignal): Promise<ClientSubscription | undefined> {
    const interval = Math.max(fastest, Math.min(...items.map(({ point }) => point.cycle ?? 1_000)));
    let subscription: ClientSubscription;
    try {
      subscription = await this.#server.session.createSubscription2({
        requestedPublishingInterval: interval,
        // Both in intervals: a sign of life at the latest every 5 s, and gone when nobody has asked for a minute.
        requestedMaxKeepAliveCount: Math.ceil(5_000 / interval),
        requestedLifetimeCount: Math.ceil(60_000 / interval),
        maxNotificationsPerPublish: 1_000,
        publishingEnabled: true,
        priority: 0,
      });
    } catch (error) {
      this.#server.throwIfLost();
      this.#context.log.info('the server gives no subscription: its nodes are polled', { err: error });
      return undefined;
    }
    const end = (): void => void subscription.terminate().catch(() => undefined);
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    const broken = (why: string) => (): void => {
      if (!signal.aborted) this.#server.end(fault('ConnectionLost', why));
    };
    subscription.on('terminated', broken('the subscription ended'));
    subscription.on('internal_error', broken('the subscription broke'));
    subscription.on('status_changed', broken('the server has given the subscription up'));
    return subscription;
  }

  /** Returns those that the server will not watch. */
  async #monitor(
    subscription: ClientSubscription,
    items: readonly Item[],
    tell: (reading: Reading) => void,
  ): Promise<Item[]> {
    const { cycle = milliseconds(1_000), deadband } = items[0]!.point;
    for (const { point } of items) this.#subscribed.add(point.property);
    const group = await subscription.monitorItems(
      items.map(({ nodeId }) => ({ nodeId, attributeId: AttributeIds.Value })),
      {
        samplingInterval: cycle,
        discardOldest: true,
        queueSize,
        ...(deadband === undefined ? {} : { filter: deadbandOf(deadband) }),
      },
      TimestampsToReturn.Both,
    );
    group.on('changed', (_, value, n) => tell(this.#toReading(items[n]!.point.property, value)));
    const refusedItems = items.filter((_, n) => group.monitoredItems[n]?.statusCode?.isGood() !== true);
    for (const { point } of refusedItems) this.#subscribed.delete(point.property);
    if (deadband === undefined || refusedItems.length === 0) return refusedItems;
    // Not every node can have a deadband; the SDK applies it as well.
    return this.#monitor(subscription, refusedItems.map(withoutDeadband), tell);
  }

  async write(point: Point<OpcuaVisitor>, raw: RawValue): Promise<void> {
    this.#server.throwIfLost();
    const { property, visitor } = point;
    const kind = kindOf(visitor);
    if (kind !== 'variable') throw refused(`"${property}"`, `it is ${nouns[kind]}, which is not written`);
    const { items, failed } = await this.#resolve([point]);
    const [reading] = failed;
    if (reading && 'error' in reading) throw refused(`"${property}"`, reading.error.message, reading.error);
    const { nodeId } = items[0]!;
    let type;
    try {
      type = await this.#server.typeOf(nodeId);
    } catch (error) {
      if (!mapperErrors.FAULT.is(error)) throw error;
      throw refused(`"${property}"`, error.message, error);
    }
    const value = toVariant(property, raw, type);
    const status = await this.#server.session.write({
      nodeId,
      attributeId: AttributeIds.Value,
      value: { value },
    });
    if (!status.isGood()) throw refused(`"${property}"`, `${status.name}: ${status.description}`);
  }

  /** Undefined: the property is a value, to be written. */
  async call(
    args: Readonly<Record<string, RawValue>>,
    points: readonly Point<OpcuaVisitor>[],
  ): Promise<{ readonly result?: RawValue } | undefined> {
    this.#server.throwIfLost();
    const point = points.find(({ visitor }) => kindOf(visitor) === 'method');
    if (!point) return undefined;
    const { property, visitor } = point;
    checkVisitor(visitor, property);
    const method = this.#methods.get(property) ?? (await findMethod(this.#server, visitor, property));
    this.#methods.set(property, method);
    return callMethod(this.#server, method, property, args[property] ?? '');
  }
}

const nouns = { method: 'a method of the server', event: 'events of the server' } as const;

function withoutDeadband({ nodeId, point }: Item): Item {
  const { deadband, ...rest } = point;
  return deadband === undefined ? { nodeId, point } : { nodeId, point: rest };
}

const asReading = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));

const deadbandOf = (deadbandValue: number): DataChangeFilter =>
  new DataChangeFilter({ trigger: DataChangeTrigger.StatusValue, deadbandType: DeadbandType.Absolute, deadbandValue });

/** Those with one cycle and one deadband, in pieces: they are asked for in one request. */
function groups(items: readonly Item[]): Item[][] {
  const same = new Map<string, Item[]>();
  for (const item of items) {
    const { cycle, deadband }: { cycle?: Duration; deadband?: number } = item.point;
    const key = `${cycle ?? ''} ${deadband ?? ''}`;
    same.set(key, [...(same.get(key) ?? []), item]);
  }
  return [...same.values()].flatMap((some) => inPieces(some, atOnce));
}

function inPieces<T>(all: readonly T[], size: number): T[][] {
  const pieces: T[][] = [];
  for (let at = 0; at < all.length; at += size) pieces.push(all.slice(at, at + size));
  return pieces;
}
