// OPC UA devices: nodes are properties, subscribed to where the server has subscriptions.
import {
  AttributeIds,
  type ClientSubscription,
  type DataValue,
  DataChangeFilter,
  DataChangeTrigger,
  DeadbandType,
  TimestampsToReturn,
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
import { faultOf, Server } from './server.ts';
import { type OpcuaConfig, type OpcuaVisitor, protocolConfig, readSettings, visitorConfig } from './settings.ts';
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
        const nodeId = this.#ids.get(property) ?? (await this.#server.resolve(visitor, property));
        this.#ids.set(property, nodeId);
        items.push({ point, nodeId });
      } catch (error) {
        this.#server.throwIfLost();
        failed.push({ property, error: asReading(error) });
      }
    }
    return { items, failed };
  }

  async read(points: readonly Point<OpcuaVisitor>[]): Promise<Reading[]> {
    this.#server.throwIfLost();
    const { items, failed } = await this.#resolve(points);
    const readings = failed;
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
    const now = this.#context.clock.now();
    const at = (sourceTimestamp ?? serverTimestamp)?.getTime() ?? now;
    return at >= now - believed.past && at <= now + believed.future ? at : now;
  }

  /** What the server will not subscribe to, for whatever reason, is polled: then its fault is found, and when it ends. */
  async subscribe(
    points: readonly Point<OpcuaVisitor>[],
    onReadings: (readings: readonly Reading[]) => void,
    signal: AbortSignal,
  ): Promise<readonly string[]> {
    const { items, failed } = await this.#resolve(points);
    const polled = failed.map(({ property }) => property);
    if (items.length === 0) return polled;
    const subscription = await this.#openSubscription(items, signal);
    if (!subscription) return points.map(({ property }) => property);
    let waiting: Reading[] = [];
    const tell = (property: string, value: DataValue): void => {
      if (signal.aborted) return;
      // What comes in one message is told in one go.
      if (waiting.length === 0) {
        queueMicrotask(() => {
          const all = waiting;
          waiting = [];
          if (!signal.aborted) onReadings(all);
        });
      }
      waiting.push(this.#toReading(property, value));
    };
    for (const some of groups(items)) {
      const refusedItems = await this.#monitor(subscription, some, tell);
      polled.push(...refusedItems.map(({ point }) => point.property));
    }
    return polled;
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
    tell: (property: string, value: DataValue) => void,
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
    group.on('changed', (_, value, n) => tell(items[n]!.point.property, value));
    const refusedItems = items.filter((_, n) => group.monitoredItems[n]?.statusCode?.isGood() !== true);
    for (const { point } of refusedItems) this.#subscribed.delete(point.property);
    if (deadband === undefined || refusedItems.length === 0) return refusedItems;
    // Not every node can have a deadband; the SDK applies it as well.
    return this.#monitor(subscription, refusedItems.map(withoutDeadband), tell);
  }

  async write(point: Point<OpcuaVisitor>, raw: RawValue): Promise<void> {
    this.#server.throwIfLost();
    const { property } = point;
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
}

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
