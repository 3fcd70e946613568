import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { createSessions } from './sessions.ts';

function sessionsOf(connected: readonly string[]) {
  return createSessions({
    log: silentLog,
    limits: {
      clients: 2,
      packetBytes: 1_000,
      subscriptionsPerClient: 1,
      queuedPerSession: 1,
      queuedBytes: 1_000,
      retained: 1,
      retainedBytes: 1_000,
    },
    memory: undefined,
    isAllowed: () => true,
    isConnected: (clientId) => connected.includes(clientId),
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
