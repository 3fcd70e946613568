// What waits for sessions: bounded for each and altogether, the newest stay; on disk before anybody is told that it is accepted.
// Of what waits for a client that is away, the payload is on disk alone.
import type { Log } from '@kedge/core/log';
import type { MqttBrokerLimits, MqttBrokerMemory } from '@kedge/core/ports';

/** As aedes hands packets around. */
export interface StoredPacket {
  cmd: string;
  topic?: string;
  payload?: Uint8Array | string;
  qos?: number;
  retain?: boolean;
  dup?: boolean;
  brokerId?: string | undefined;
  brokerCounter?: number | undefined;
  messageId?: number | undefined;
}
export interface QueuesDeps {
  readonly log: Log;
  readonly limits: Pick<MqttBrokerLimits, 'queuedPerSession' | 'queuedBytes' | 'queuedFor'>;
  readonly memory: MqttBrokerMemory | undefined;
  readonly isConnected: (clientId: string) => boolean;
  readonly now: () => number;
}

/** A message in a queue. */
interface Waiting {
  readonly id: number;
  readonly at: number;
  readonly size: number;
  /** For PUBREL there is no payload any more; for a publish it may be on disk. */
  packet: StoredPacket;
  isPayloadHere: boolean;
}

/** A session, and what its subscription asks for. */
interface Receiver {
  readonly clientId: string;
  readonly qos: number;
}
const qosFor = (receiver: Receiver, { qos = 0 }: StoredPacket): number => Math.min(receiver.qos, qos);

/** That of this process: aedes compares it with the one of what it hands out. */
const ownBroker = 'kedge';

export const sizeOf = ({ topic = '', payload = '' }: { topic?: string; payload?: Uint8Array | string }): number =>
  topic.length + payload.length;
const bytesOf = (payload: Uint8Array | string): Uint8Array =>
  typeof payload === 'string' ? Buffer.from(payload) : payload;

export type Queues = ReturnType<typeof createQueues>;

export function createQueues({ log, limits, memory, isConnected, now }: QueuesDeps) {
  const queues = new Map<string, Waiting[]>();
  let queuedBytes = 0;
  let serial = 0;
  /** Sessions that lose messages, said once. */
  const losing = new Set<string>();

  function forget(clientId: string, one: Waiting | undefined): void {
    if (!one) return;
    queuedBytes -= one.size;
    memory?.delivered({ clientId, id: one.id });
  }
  function drop(clientId: string, one: Waiting | undefined, reason: string): void {
    forget(clientId, one);
    if (!one || losing.has(clientId)) return;
    losing.add(clientId);
    log.warn('messages that wait for an MQTT client are dropped, the oldest first', { name: clientId, reason });
  }
  function dropExpired(clientId: string, queue: Waiting[]): void {
    while (queue[0] && queue[0].at + limits.queuedFor < now())
      drop(clientId, queue.shift(), 'they have waited too long');
  }
  function bound(clientId: string, queue: Waiting[], isHere: boolean): void {
    dropExpired(clientId, queue);
    // What is on its way to a client that is there may be unacknowledged for a while.
    const most = isHere ? limits.queuedPerSession * 4 : limits.queuedPerSession;
    while (queue.length > most) drop(clientId, queue.shift(), 'there are too many');
    // Over the bound for all: the longest queue gives.
    while (queuedBytes > limits.queuedBytes) {
      const [of, longest] = [...queues].reduce((a, b) => (b[1].length > a[1].length ? b : a));
      if (longest.length === 0) return;
      drop(of, longest.shift(), 'those of all clients take too much room');
    }
  }
  function queueOf(clientId: string): Waiting[] {
    const known = queues.get(clientId);
    if (known) return known;
    const fresh: Waiting[] = [];
    queues.set(clientId, fresh);
    return fresh;
  }
  const record = (clientId: string, { id, at, size, packet }: Waiting) => ({
    clientId,
    id,
    at,
    size,
    topic: packet.topic ?? '',
    qos: packet.qos ?? 0,
    packetId: packet.messageId,
    isReceived: packet.cmd === 'pubrel',
  });
  const payloadOf = (clientId: string, { id, packet, isPayloadHere }: Waiting): Uint8Array | string | undefined =>
    isPayloadHere ? packet.payload : memory?.payload({ clientId, id });

  function find(clientId: string, packet: StoredPacket): number {
    return queueOf(clientId).findIndex(({ packet: { brokerId, brokerCounter, messageId } }) =>
      packet.brokerId === undefined
        ? messageId === packet.messageId
        : brokerId === packet.brokerId && brokerCounter === packet.brokerCounter,
    );
  }

  for (const { clientId, id, at, size, topic, qos, packetId, isReceived } of memory?.load().waiting ?? []) {
    serial = Math.max(serial, id);
    queuedBytes += size;
    const isOurs = { brokerId: ownBroker, brokerCounter: -id, messageId: packetId };
    const packet: StoredPacket = isReceived
      ? { cmd: 'pubrel', messageId: packetId }
      : { cmd: 'publish', topic, qos, retain: false, payload: '', ...isOurs };
    queueOf(clientId).push({ id, at, size, packet, isPayloadHere: isReceived });
  }
  for (const [clientId, queue] of queues) bound(clientId, queue, false);

  return {
    /** Keeps a message on disk that is about to be enqueued with this number. */
    announce(receivers: readonly Receiver[], packet: StoredPacket): number {
      serial += 1;
      const one = { id: serial, at: now(), size: sizeOf(packet), isPayloadHere: true };
      for (const receiver of receivers) {
        const asSent = { ...one, packet: { ...packet, messageId: undefined, qos: qosFor(receiver, packet) } };
        memory?.waiting(record(receiver.clientId, asSent), bytesOf(packet.payload ?? ''));
      }
      return serial;
    },
    /** It is not enqueued after all. */
    retract(clientIds: readonly string[], id: number): void {
      for (const clientId of clientIds) memory?.delivered({ clientId, id });
    },
    /** `id`: as announced; it is on its way to the disk, or there. */
    enqueue(receiver: Receiver, packet: StoredPacket, id: number): void {
      const { clientId } = receiver;
      const queue = queueOf(clientId);
      const isHere = isConnected(clientId);
      const isPayloadHere = memory === undefined || isHere;
      const kept: StoredPacket = {
        ...packet,
        qos: qosFor(receiver, packet),
        ...(isPayloadHere ? {} : { payload: '' }),
      };
      queue.push({ id, at: now(), size: sizeOf(packet), packet: kept, isPayloadHere });
      queuedBytes += sizeOf(packet);
      bound(clientId, queue, isHere);
    },
    /** The client has gone: what it has not acknowledged waits on disk. */
    rest(clientId: string): void {
      if (!memory) return;
      for (const one of queues.get(clientId) ?? []) {
        if (one.packet.cmd !== 'publish' || !one.isPayloadHere) continue;
        one.packet.payload = '';
        one.isPayloadHere = false;
      }
    },
    /** In order; a message that was sent before says so. */
    *stream(clientId: string): Generator<StoredPacket> {
      const queue = queues.get(clientId) ?? [];
      dropExpired(clientId, queue);
      losing.delete(clientId);
      for (const one of [...queue]) {
        if (one.packet.cmd !== 'publish') yield one.packet;
        else {
          const payload = payloadOf(clientId, one);
          if (payload !== undefined) yield { ...one.packet, payload, dup: one.packet.messageId !== undefined };
        }
      }
    },
    /**
     * The packet id that a message is sent with, or that a QoS 2 message is received. A message that had to make room is sent all the
     * same, and not again. QoS 2 has to be on disk before the client hears of it, or it would get the message twice.
     */
    async update(clientId: string, packet: StoredPacket): Promise<void> {
      const one = queueOf(clientId)[find(clientId, packet)];
      if (!one) return;
      if (packet.brokerId === undefined) {
        // Its size stays: it goes with the entry.
        one.packet = packet;
        one.isPayloadHere = true;
      } else {
        if (one.packet.messageId === packet.messageId) return;
        one.packet.messageId = packet.messageId;
        if (one.packet.qos !== 2) return;
      }
      if (!memory) return;
      const payload = packet.brokerId === undefined ? new Uint8Array() : payloadOf(clientId, one);
      if (payload === undefined) return;
      memory.waiting(record(clientId, one), bytesOf(payload));
      await memory.settled();
    },
    /** The client has it. */
    clear(clientId: string, { messageId }: Pick<StoredPacket, 'messageId'>): StoredPacket | undefined {
      const queue = queueOf(clientId);
      const at = queue.findIndex(({ packet }) => packet.messageId === messageId);
      const [cleared] = at < 0 ? [] : queue.splice(at, 1);
      forget(clientId, cleared);
      if (queue.length === 0) queues.delete(clientId);
      return cleared?.packet;
    },
    /** The session has ended. */
    end(clientId: string): void {
      for (const one of queues.get(clientId) ?? []) forget(clientId, one);
      queues.delete(clientId);
      losing.delete(clientId);
    },
    clients: (): readonly string[] => [...queues.keys()],
  };
}
