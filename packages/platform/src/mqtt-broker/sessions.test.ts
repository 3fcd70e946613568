import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import type { MqttBrokerLimits, MqttBrokerMemory } from '@kedge/core/ports';
import type { StoredPacket } from './queues.ts';
import { createSessions } from './sessions.ts';

function sessionsOf(connected: readonly string[], memory?: MqttBrokerMemory, more: Partial<MqttBrokerLimits> = {}) {
  return createSessions({
    log: silentLog,
    limits: {
      clients: 2,
      packetBytes: 1_000,
      subscriptionsPerClient: 1,
      queuedPerSession: 1,
      queuedBytes: 1_000,
      queuedFor: 1_000,
      retained: 1,
      retainedBytes: 1_000,
      ...more,
    },
    memory,
    isAllowed: () => true,
    isConnected: (clientId) => connected.includes(clientId),
    now: () => 0,
  });
}

test('of too many clients with messages they never released, the one longest away is forgotten', async () => {
  const sessions = sessionsOf(['here']);
  for (const id of ['here', 'gone', 'last']) await sessions.incomingStorePacket({ id }, { messageId: 1 });
  await assert.rejects(sessions.incomingGetPacket({ id: 'gone' }, { messageId: 1 }));
  for (const id of ['here', 'last']) assert.ok(await sessions.incomingGetPacket({ id }, { messageId: 1 }));
});

test('of too many messages that a client never released the oldest are forgotten', async () => {
  const sessions = sessionsOf([]);
  const client = { id: 'c' };
  for (let messageId = 1; messageId <= 100; messageId += 1) await sessions.incomingStorePacket(client, { messageId });
  await assert.rejects(sessions.incomingGetPacket(client, { messageId: 36 }));
  assert.ok(await sessions.incomingGetPacket(client, { messageId: 37 }));
  await sessions.incomingDelPacket(client, { messageId: 37 });
  await assert.rejects(sessions.incomingGetPacket(client, { messageId: 37 }));
});

test('a number of a QoS 2 message outlives the process when the session does, and not otherwise', async () => {
  const said: unknown[] = [];
  const memory = {
    load: () => ({
      retained: [],
      sessions: [],
      waiting: [],
      wills: [],
      unreleased: [{ clientId: 'back', packetId: 7 }],
    }),
    unreleased: ({ clientId, packetId }: { clientId: string; packetId: number }, isSo: boolean) =>
      void said.push([clientId, packetId, isSo]),
    settled: async () => void said.push('settled'),
  } as unknown as MqttBrokerMemory;
  const sessions = sessionsOf([], memory);
  // Sent again, because its sender has not heard of the first time: known, and nothing to write.
  const again = { cmd: 'publish', topic: 't', payload: 'x', qos: 2, messageId: 7 };
  assert.equal(sessions.accept(again, { id: 'back', clean: false }), undefined);
  assert.ok(await sessions.incomingGetPacket({ id: 'back' }, { messageId: 7 }));
  assert.deepEqual(said, []);
  await sessions.accept({ ...again, messageId: 8 }, { id: 'back', clean: false });
  assert.equal(sessions.accept({ ...again, messageId: 8 }, { id: 'brief', clean: true }), undefined);
  await sessions.incomingDelPacket({ id: 'back', clean: false }, { messageId: 7 });
  assert.deepEqual(said, [['back', 8, true], 'settled', ['back', 7, false], 'settled']);
});

test('a QoS 2 message that its client has received is only released after a restart', async () => {
  const said: unknown[] = [];
  const waiting = { clientId: 'c', topic: 't', qos: 2, size: 4, at: 0 };
  const memory = {
    load: () => ({
      retained: [],
      sessions: [{ clientId: 'c', subscriptions: [{ filter: 't', qos: 2 }] }],
      waiting: [
        { ...waiting, id: 3, packetId: 11, isReceived: true },
        { ...waiting, id: 4, packetId: 12, isReceived: false },
      ],
      wills: [],
      unreleased: [],
    }),
    payload: ({ id }: { id: number }) => Buffer.from(`m${id}`),
    delivered: ({ id }: { id: number }) => void said.push(['delivered', id]),
    waiting: ({ id, packetId, isReceived }: { id: number; packetId: number; isReceived: boolean }) =>
      void said.push([id, packetId, isReceived]),
    settled: async () => void said.push('settled'),
  } as unknown as MqttBrokerMemory;
  const sessions = sessionsOf(['c'], memory, { queuedPerSession: 5 });
  const packets = (await sessions.outgoingStream({ id: 'c' }).toArray()) as StoredPacket[];
  assert.deepEqual(
    packets.map(({ cmd, messageId, payload, dup }) => [cmd, messageId, payload?.toString(), dup]),
    [
      ['pubrel', 11, undefined, undefined],
      ['publish', 12, 'm4', true],
    ],
  );
  // The client says that it has the second.
  await sessions.outgoingUpdate({ id: 'c' }, { cmd: 'pubrel', messageId: 12 });
  assert.deepEqual(said.splice(0), [[4, 12, true], 'settled']);
  for (const messageId of [11, 12]) await sessions.outgoingClearMessageId({ id: 'c' }, { cmd: 'pubcomp', messageId });
  assert.deepEqual(said, [
    ['delivered', 3],
    ['delivered', 4],
  ]);
});

test('a message whose sender goes before it is told leaves nothing behind', async () => {
  const rows = new Set<string>();
  const memory = {
    load: () => ({
      retained: [],
      sessions: [{ clientId: 'c', subscriptions: [{ filter: 't', qos: 1 }] }],
      waiting: [],
      wills: [],
      unreleased: [],
    }),
    waiting: ({ clientId, id }: { clientId: string; id: number }) => void rows.add(`${clientId} ${id}`),
    delivered: ({ clientId, id }: { clientId: string; id: number }) => void rows.delete(`${clientId} ${id}`),
    unreleased: () => undefined,
    settled: async () => undefined,
  } as unknown as MqttBrokerMemory;
  const sessions = sessionsOf([], memory);
  const sender = { id: 's', clean: false };
  const packet = () => ({ cmd: 'publish', topic: 't', payload: 'x', qos: 1, messageId: 1 });
  const refused = packet();
  await sessions.accept(refused, sender);
  assert.equal(rows.size, 1);
  sessions.refuse(refused, sender);
  assert.equal(rows.size, 0);
  await sessions.accept(packet(), sender);
  sessions.left(sender);
  assert.equal(rows.size, 0);
});
