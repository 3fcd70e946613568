// What the broker keeps for its clients: retained messages, subscriptions of sessions that outlive a connection, and what
// waits for those. Everything has a bound; retained messages and subscriptions are also handed to a memory that survives
// restarts, what waits is not. It is what aedes calls a persistence.
import { Readable } from 'node:stream';
import type { Log } from '@kedge/core/log';
import type { MqttBrokerLimits, MqttBrokerMemory } from '@kedge/core/ports';
import { matchesFilter } from '@kedge/wire/topics';

/** As aedes hands packets around. */
export interface StoredPacket {
  cmd: string;
  topic: string;
  payload: Uint8Array | string;
  qos: number;
  retain: boolean;
  brokerId?: string | undefined;
  brokerCounter?: number | undefined;
  messageId?: number | undefined;
}
interface Subscription {
  readonly topic: string;
  readonly qos: number;
}
interface ClientRef {
  readonly id: string;
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

const sizeOf = ({ topic = '', payload = '' }: { topic?: string; payload?: Uint8Array | string }): number =>
  topic.length + payload.length;

export type Sessions = ReturnType<typeof createSessions>;

export function createSessions({ log, limits, memory, isAllowed, isConnected }: SessionsDeps) {
  const retained = new Map<string, StoredPacket>();
  let retainedBytes = 0;
  /** By client and filter; the client that came last is last. */
  const subscriptions = new Map<string, Map<string, Subscription>>();
  const routes = new Map<string, Subscriber[]>();
  const queues = new Map<string, StoredPacket[]>();
  let queuedBytes = 0;
  /** By client, the one that sent last is last: numbers of QoS 2 messages that it has sent and not released. */
  const incoming = new Map<string, Set<number>>();
  const wills = new Map<string, object>();
  let complained = false;

  function forgetQueue(clientId: string): void {
    for (const packet of queues.get(clientId) ?? []) queuedBytes -= sizeOf(packet);
    queues.delete(clientId);
  }

  function endSession(clientId: string): void {
    forgetQueue(clientId);
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

  function enqueue(clientId: string, packet: StoredPacket): void {
    const queue = queues.get(clientId) ?? [];
    queues.set(clientId, queue);
    queue.push({ ...packet });
    queuedBytes += sizeOf(packet);
    // What is on its way to a client that is there may be unacknowledged for a while.
    const most = isConnected(clientId) ? limits.queuedPerSession * 4 : limits.queuedPerSession;
    while (queue.length > most) queuedBytes -= sizeOf(queue.shift()!);
    // Over the bound for all: the longest queue gives.
    while (queuedBytes > limits.queuedBytes) {
      const longest = [...queues.values()].reduce((a, b) => (b.length > a.length ? b : a));
      const oldest = longest.shift();
      if (!oldest) return;
      queuedBytes -= sizeOf(oldest);
    }
  }

  function storeRetained({ cmd, topic, payload, qos }: StoredPacket): void {
    const before = retained.get(topic);
    const size = payload.length === 0 ? 0 : sizeOf({ topic, payload });
    const after = retainedBytes - (before ? sizeOf(before) : 0) + size;
    if (size > 0 && ((!before && retained.size >= limits.retained) || after > limits.retainedBytes)) {
      if (!complained) log.warn('an MQTT message is not retained: there are too many', { name: topic.slice(0, 256) });
      complained = true;
      return;
    }
    retainedBytes = after;
    if (size === 0) {
      if (!retained.delete(topic)) return;
      complained = false;
      return memory?.retained(topic, undefined);
    }
    // A copy: the payload may be a part of all that has come with it.
    const bytes = Buffer.from(typeof payload === 'string' ? payload : Uint8Array.from(payload));
    retained.set(topic, { cmd, topic, payload: bytes, qos, retain: true });
    memory?.retained(topic, { topic, payload: bytes, qos });
  }

  const retainedFor = (filters: readonly string[]): StoredPacket[] =>
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

  return {
    retainedFor,
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
      for (const { topic, qos } of added) {
        if (isAllowed(client, topic)) of.set(topic, { topic, qos });
      }
      if (of.size === 0) return;
      subscriptions.set(client.id, of);
      boundSessions();
      tellSession(client.id);
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
      enqueue(clientId, packet);
    },
    outgoingEnqueueCombi(subscribers: readonly Subscriber[], packet: StoredPacket) {
      for (const { clientId } of subscribers) enqueue(clientId, packet);
      return settled(undefined);
    },
    /** A message that had to make room is sent all the same, and not again. */
    async outgoingUpdate({ id }: ClientRef, packet: StoredPacket): Promise<void> {
      const queue = queues.get(id) ?? [];
      const at = queue.findIndex(({ brokerId, brokerCounter, messageId }) =>
        packet.brokerId === undefined
          ? messageId === packet.messageId
          : brokerId === packet.brokerId && brokerCounter === packet.brokerCounter,
      );
      const waiting = queue[at];
      if (!waiting) return;
      if (packet.brokerId !== undefined) return void (waiting.messageId = packet.messageId);
      queuedBytes += sizeOf(packet) - sizeOf(waiting);
      queue[at] = packet;
    },
    async outgoingClearMessageId({ id }: ClientRef, packet: StoredPacket): Promise<StoredPacket | undefined> {
      const queue = queues.get(id) ?? [];
      const at = queue.findIndex(({ messageId }) => messageId === packet.messageId);
      const [cleared] = at < 0 ? [] : queue.splice(at, 1);
      if (cleared) queuedBytes -= sizeOf(cleared);
      return cleared;
    },
    outgoingStream: ({ id }: ClientRef) => Readable.from([...(queues.get(id) ?? [])]),
    /** The message itself has been passed on; its number is there to know it again. */
    async incomingStorePacket({ id }: ClientRef, { messageId }: Pick<StoredPacket, 'messageId'>): Promise<void> {
      const of = incoming.get(id) ?? new Set<number>();
      incoming.delete(id);
      incoming.set(id, of.add(messageId!));
      for (const oldest of of) {
        if (of.size <= unreleased) break;
        of.delete(oldest);
      }
      for (const clientId of incoming.keys()) {
        if (incoming.size <= limits.clients) break;
        if (clientId !== id && !isConnected(clientId)) incoming.delete(clientId);
      }
    },
    async incomingGetPacket({ id }: ClientRef, { messageId }: Pick<StoredPacket, 'messageId'>) {
      if (!incoming.get(id)?.has(messageId!)) throw new Error('no such packet');
      return { messageId };
    },
    async incomingDelPacket({ id }: ClientRef, { messageId }: Pick<StoredPacket, 'messageId'>): Promise<void> {
      const of = incoming.get(id);
      if (!of?.delete(messageId!)) throw new Error('no such packet');
      if (of.size === 0) incoming.delete(id);
    },
    async cleanIncoming({ id }: ClientRef): Promise<void> {
      incoming.delete(id);
    },
    async putWill({ id }: ClientRef, will: { brokerId?: string; clientId?: string }): Promise<void> {
      will.brokerId = (this.broker as { id: string }).id;
      will.clientId = id;
      wills.set(id, will);
    },
    async getWill({ id }: ClientRef): Promise<object | undefined> {
      return wills.get(id);
    },
    async delWill({ id }: ClientRef): Promise<object | undefined> {
      const will = wills.get(id);
      wills.delete(id);
      return will;
    },
    // Of other brokers, and there is none.
    streamWill: () => Readable.from([]),
    getClientList: (topic: string) => Readable.from(subscribersOf(topic).map(({ clientId }) => clientId)),
    async destroy(): Promise<void> {},
  };
}
