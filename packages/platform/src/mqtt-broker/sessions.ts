// What the broker keeps for its clients: retained messages, subscriptions of sessions that outlive a connection, what waits for
// those, and wills. Everything has a bound, and is handed to a memory that survives restarts. It is what aedes calls a persistence.
import { Readable } from 'node:stream';
import type { Log } from '@kedge/core/log';
import type { MqttBrokerLimits, MqttBrokerMemory, MqttWill } from '@kedge/core/ports';
import { matchesFilter } from '@kedge/wire/topics';
import { createQueues, sizeOf, type StoredPacket } from './queues.ts';

interface Subscription {
  readonly topic: string;
  readonly qos: number;
}
interface ClientRef {
  readonly id: string;
  /** The session ends with the connection. */
  readonly clean?: boolean;
}
interface Retained {
  readonly cmd: string;
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: number;
  readonly retain: true;
}
type Will = StoredPacket & { clientId?: string };
/** A message that is on disk for these clients, and not handed out yet. */
interface Accepted {
  readonly id: number;
  readonly clientIds: readonly string[];
}
interface Subscriber {
  readonly clientId: string;
  readonly topic: string;
  readonly qos: number;
}

export interface SessionsDeps {
  readonly log: Log;
  readonly limits: MqttBrokerLimits;
  readonly memory: MqttBrokerMemory | undefined;
  /** aedes stores what it has refused, too. */
  readonly isAllowed: (client: ClientRef, filter: string) => boolean;
  readonly isConnected: (clientId: string) => boolean;
  readonly now: () => number;
}

/** QoS 2 messages of one client over all its connections; of one that is forgotten a repetition counts as new. */
const unreleased = 64;
/** Topics whose subscribers are remembered. */
const manyRoutes = 1_000;

/**
 * As a promise that is settled already, and says so at once. aedes numbers a message, awaits three answers of ours and
 * hands it out; a message that overtook it there would make it look like a duplicate, and it would be lost.
 */
const settled = <T>(value: T): { then(done: (value: T) => void): void } => ({
  // oxlint-disable-next-line no-thenable -- that is the point
  then: (done) => done(value),
});

export type Sessions = ReturnType<typeof createSessions>;

export function createSessions({ log, limits, memory, isAllowed, isConnected, now }: SessionsDeps) {
  const queues = createQueues({ log, limits, memory, isConnected, now });
  const retained = new Map<string, Retained>();
  let retainedBytes = 0;
  /** By client and filter; the client that came last is last. */
  const subscriptions = new Map<string, Map<string, Subscription>>();
  const routes = new Map<string, Subscriber[]>();
  /** By client, the one that sent last is last: numbers of QoS 2 messages that it has sent and not released. */
  const incoming = new Map<string, Set<number>>();
  const wills = new Map<string, Will>();
  const accepted = new WeakMap<object, Accepted>();
  /** By connection: what it may still go without. */
  const unclaimed = new Map<object, Set<object>>();
  const unsettled = new WeakMap<object, Promise<void>>();
  /** What aedes is handing out at this moment. */
  let handedOut: object | undefined;
  let complained = false;

  function endSession(clientId: string): void {
    queues.end(clientId);
    if (!subscriptions.delete(clientId)) return;
    routes.clear();
    memory?.session({ clientId, subscriptions: [] });
  }

  /** Of more sessions than there may be, the ones longest away end. */
  function boundSessions(): void {
    for (const clientId of subscriptions.keys()) {
      if (subscriptions.size <= limits.clients) return;
      if (isConnected(clientId)) continue;
      log.warn('an MQTT session was ended: there are too many', { name: clientId, limit: limits.clients });
      endSession(clientId);
    }
  }

  function tellSession(clientId: string): void {
    routes.clear();
    const of = [...(subscriptions.get(clientId)?.values() ?? [])];
    memory?.session({ clientId, subscriptions: of.map(({ topic: filter, qos }) => ({ filter, qos })) });
  }

  function subscribersOf(topic: string): Subscriber[] {
    const known = routes.get(topic);
    if (known) return known;
    const found: Subscriber[] = [];
    for (const [clientId, filters] of subscriptions) {
      for (const { topic: filter, qos } of filters.values()) {
        if (qos > 0 && matchesFilter(filter, topic)) {
          found.push({ clientId, topic: filter, qos });
          // Once per client, however many of its filters match.
          break;
        }
      }
    }
    if (routes.size >= manyRoutes) routes.clear();
    routes.set(topic, found);
    return found;
  }

  function storeRetained({ cmd, topic = '', payload = '', qos = 0 }: StoredPacket): void {
    const before = retained.get(topic);
    const size = payload.length === 0 ? 0 : sizeOf({ topic, payload });
    const after = retainedBytes - (before ? sizeOf(before) : 0) + size;
    if (size > 0 && ((!before && retained.size >= limits.retained) || after > limits.retainedBytes)) {
      if (!complained) log.warn('an MQTT message is not retained: there are too many', { name: topic.slice(0, 256) });
      complained = true;
      return;
    }
    if (size === 0) {
      retainedBytes = after;
      if (!retained.delete(topic)) return;
      complained = false;
      return memory?.retained(topic, undefined);
    }
    // A copy: the payload may be a part of all that has come with it.
    const bytes = Buffer.from(typeof payload === 'string' ? payload : Uint8Array.from(payload));
    if (before && before.qos === qos && bytes.equals(before.payload)) return;
    retainedBytes = after;
    retained.set(topic, { cmd, topic, payload: bytes, qos, retain: true });
    memory?.retained(topic, { topic, payload: bytes, qos });
  }

  const retainedFor = (filters: readonly string[]): Retained[] =>
    [...retained.values()].filter(({ topic }) => filters.some((filter) => matchesFilter(filter, topic)));

  const loaded = memory?.load();
  for (const { topic, payload, qos } of loaded?.retained ?? []) {
    if (retained.size >= limits.retained) break;
    retained.set(topic, { cmd: 'publish', topic, payload: Buffer.from(payload), qos, retain: true });
    retainedBytes += sizeOf({ topic, payload });
  }
  for (const { clientId, subscriptions: of } of (loaded?.sessions ?? []).slice(0, limits.clients)) {
    subscriptions.set(clientId, new Map(of.map(({ filter, qos }) => [filter, { topic: filter, qos }])));
  }
  for (const clientId of queues.clients()) if (!subscriptions.has(clientId)) queues.end(clientId);
  for (const { clientId, packetId } of loaded?.unreleased ?? []) {
    incoming.set(clientId, (incoming.get(clientId) ?? new Set()).add(packetId));
  }
  const leftWills = (loaded?.wills ?? []).slice(0, limits.clients);

  /** Whether its numbers of QoS 2 messages outlive the connection. */
  const lasts = ({ clean }: ClientRef): boolean => clean === false;
  function forgetIncoming(clientId: string, packetIds: Iterable<number>): void {
    for (const packetId of packetIds) memory?.unreleased({ clientId, packetId }, false);
  }
  function retract(client: object, packet: object): void {
    const kept = accepted.get(packet);
    unclaimed.get(client)?.delete(packet);
    accepted.delete(packet);
    if (kept) queues.retract(kept.clientIds, kept.id);
  }

  return {
    retainedFor,
    /** Of clients that were there when the process before this one ended without a goodbye. */
    takeLeftWills: (): readonly { readonly clientId: string; readonly will: MqttWill }[] => leftWills.splice(0),
    willIsTold: (clientId: string) => memory?.will(clientId, undefined),

    /**
     * Keeps a message for those it has to wait for, before its sender is told that it is accepted. What has been said here is on disk when
     * the promise resolves; without one there is nothing to wait for. `from` is absent for what is nobody's to acknowledge.
     */
    accept(packet: StoredPacket, from: ClientRef | undefined): Promise<void> | undefined {
      if (!memory) return undefined;
      const before = from && unsettled.get(from);
      const { topic = '', qos = 0, messageId, retain } = packet;
      // In the order in which they came, whatever their quality of service.
      if (qos === 0) return before;
      const isKnown = qos === 2 && from !== undefined && (incoming.get(from.id)?.has(messageId!) ?? false);
      if (isKnown) return before;
      const receivers = subscribersOf(topic);
      const clientIds = receivers.map(({ clientId }) => clientId);
      if (receivers.length > 0) {
        accepted.set(packet, { id: queues.announce(receivers, packet), clientIds });
        if (from) unclaimed.set(from, (unclaimed.get(from) ?? new Set()).add(packet));
      }
      if (retain) storeRetained(packet);
      const isNumbered = qos === 2 && from !== undefined && lasts(from);
      if (isNumbered) memory.unreleased({ clientId: from.id, packetId: messageId! }, true);
      if (!from || (clientIds.length === 0 && !retain && !isNumbered)) return before;
      const settled = memory.settled();
      unsettled.set(from, settled);
      void settled.finally(() => {
        if (unsettled.get(from) === settled) unsettled.delete(from);
      });
      return settled;
    },
    /** The sender has gone before it could be told. */
    refuse(packet: StoredPacket, from: ClientRef): void {
      retract(from, packet);
      if (packet.qos === 2 && lasts(from)) forgetIncoming(from.id, [packet.messageId!]);
    },
    /** aedes hands a message out: inside `work` it asks what to enqueue. */
    handOut(packet: object, work: () => void): void {
      handedOut = packet;
      try {
        work();
      } finally {
        handedOut = undefined;
      }
    },
    /** The connection has ended. */
    left(client: ClientRef): void {
      for (const packet of [...(unclaimed.get(client) ?? [])]) retract(client, packet);
      unclaimed.delete(client);
      queues.rest(client.id);
    },
    /** A session's place among those that may have to go. */
    touch(clientId: string): void {
      const of = subscriptions.get(clientId);
      if (!of) return;
      subscriptions.delete(clientId);
      subscriptions.set(clientId, of);
    },

    // From here on as aedes has it.
    broker: undefined as unknown,
    async setup(broker: unknown): Promise<void> {
      this.broker = broker;
    },
    storeRetained(packet: StoredPacket) {
      storeRetained(packet);
      return settled(undefined);
    },
    createRetainedStream: (filter: string) => Readable.from(retainedFor([filter])),
    createRetainedStreamCombi: (filters: string[]) => Readable.from(retainedFor(filters)),
    async addSubscriptions(client: ClientRef, added: readonly Subscription[]): Promise<void> {
      const of = subscriptions.get(client.id) ?? new Map<string, Subscription>();
      let isNew = !subscriptions.has(client.id);
      for (const { topic, qos } of added) {
        if (!isAllowed(client, topic) || of.get(topic)?.qos === qos) continue;
        of.set(topic, { topic, qos });
        isNew = true;
      }
      if (of.size === 0 || !isNew) return;
      subscriptions.set(client.id, of);
      boundSessions();
      tellSession(client.id);
      await memory?.settled();
    },
    async removeSubscriptions(client: ClientRef, filters: readonly string[]): Promise<void> {
      const of = subscriptions.get(client.id);
      if (!of) return;
      for (const filter of filters) of.delete(filter);
      if (of.size === 0) endSession(client.id);
      else tellSession(client.id);
    },
    async subscriptionsByClient({ id }: ClientRef): Promise<Subscription[]> {
      return [...(subscriptions.get(id)?.values() ?? [])];
    },
    async countOffline() {
      return { subsCount: 0, clientsCount: subscriptions.size };
    },
    subscriptionsByTopic: (topic: string) => settled(subscribersOf(topic)),
    /** The client begins afresh. */
    async cleanSubscriptions({ id }: ClientRef): Promise<void> {
      endSession(id);
    },
    async outgoingEnqueue({ clientId }: { clientId: string }, packet: StoredPacket): Promise<void> {
      const receiver = { clientId, qos: packet.qos ?? 0 };
      queues.enqueue(receiver, packet, queues.announce([receiver], packet));
    },
    outgoingEnqueueCombi(subscribers: readonly Subscriber[], packet: StoredPacket) {
      const kept = handedOut && accepted.get(handedOut);
      if (handedOut && kept) {
        accepted.delete(handedOut);
        for (const packets of unclaimed.values()) packets.delete(handedOut);
      }
      const now = subscribers.map(({ clientId }) => clientId);
      // Who came or went while it was written.
      if (kept)
        queues.retract(
          kept.clientIds.filter((clientId) => !now.includes(clientId)),
          kept.id,
        );
      for (const receiver of subscribers) {
        const isKept = kept?.clientIds.includes(receiver.clientId) ?? false;
        queues.enqueue(receiver, packet, isKept ? kept!.id : queues.announce([receiver], packet));
      }
      return settled(undefined);
    },
    async outgoingUpdate({ id }: ClientRef, packet: StoredPacket): Promise<void> {
      await queues.update(id, packet);
    },
    async outgoingClearMessageId({ id }: ClientRef, packet: StoredPacket): Promise<StoredPacket | undefined> {
      return queues.clear(id, packet);
    },
    outgoingStream: ({ id }: ClientRef) => Readable.from(queues.stream(id)),
    /** The message itself has been passed on; its number is there to know it again. */
    async incomingStorePacket(client: ClientRef, { messageId }: Pick<StoredPacket, 'messageId'>): Promise<void> {
      const { id } = client;
      const of = incoming.get(id) ?? new Set<number>();
      incoming.delete(id);
      incoming.set(id, of.add(messageId!));
      for (const oldest of of) {
        if (of.size <= unreleased) break;
        of.delete(oldest);
        forgetIncoming(id, [oldest]);
      }
      for (const [clientId, numbers] of incoming) {
        if (incoming.size <= limits.clients) break;
        if (clientId === id || isConnected(clientId)) continue;
        incoming.delete(clientId);
        forgetIncoming(clientId, numbers);
      }
    },
    async incomingGetPacket({ id }: ClientRef, { messageId }: Pick<StoredPacket, 'messageId'>) {
      if (!incoming.get(id)?.has(messageId!)) throw new Error('no such packet');
      return { messageId };
    },
    async incomingDelPacket(client: ClientRef, { messageId }: Pick<StoredPacket, 'messageId'>): Promise<void> {
      const { id } = client;
      const of = incoming.get(id);
      if (!of?.delete(messageId!)) throw new Error('no such packet');
      if (of.size === 0) incoming.delete(id);
      if (!memory || !lasts(client)) return;
      forgetIncoming(id, [messageId!]);
      // Before the client may use the number again.
      await memory.settled();
    },
    async cleanIncoming({ id }: ClientRef): Promise<void> {
      forgetIncoming(id, incoming.get(id) ?? []);
      incoming.delete(id);
    },
    async putWill({ id }: ClientRef, will: Will): Promise<void> {
      will.brokerId = (this.broker as { id: string }).id;
      will.clientId = id;
      wills.set(id, will);
      const { topic = '', payload = '', qos = 0, retain = false } = will;
      memory?.will(id, { topic, payload: typeof payload === 'string' ? Buffer.from(payload) : payload, qos, retain });
      await memory?.settled();
    },
    async getWill({ id }: ClientRef): Promise<object | undefined> {
      return wills.get(id);
    },
    async delWill({ id }: ClientRef): Promise<object | undefined> {
      const will = wills.get(id);
      if (wills.delete(id)) memory?.will(id, undefined);
      return will;
    },
    // Of other brokers, and there is none.
    streamWill: () => Readable.from([]),
    getClientList: (topic: string) => Readable.from(subscribersOf(topic).map(({ clientId }) => clientId)),
    async destroy(): Promise<void> {},
  };
}
