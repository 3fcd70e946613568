import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import type { Database } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { createBrokerMemory } from './broker-memory.ts';

test('what the disk does not take is written with the next change, the newer of two', async () => {
  const written: unknown[] = [];
  let isFull = true;
  const db = {
    statement: (sql: string) => ({ run: (...values: unknown[]) => written.push([sql.split(' ')[0], ...values]) }),
    async write(work: () => void) {
      if (isFull) throw new Error('disk full');
      work();
    },
  } as unknown as Database;
  const memory = createBrokerMemory({ db, log: silentLog, clock: new FakeClock({ settle: async () => undefined }) });
  const say = (topic: string, text: string): void =>
    memory.retained(topic, { topic, payload: new TextEncoder().encode(text), qos: 1 });
  say('a', 'old');
  say('b', 'kept');
  memory.session({ clientId: 'c', subscriptions: [] });
  await memory.flush();
  isFull = false;
  say('a', 'new');
  await memory.flush();
  await memory.flush();
  assert.deepEqual(written, [
    ['INSERT', 'a', 1, new TextEncoder().encode('new')],
    ['INSERT', 'b', 1, new TextEncoder().encode('kept')],
    ['DELETE', 'c'],
    ['DELETE', 'c'],
  ]);
});
