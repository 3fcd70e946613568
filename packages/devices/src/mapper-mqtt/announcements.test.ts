import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seconds } from '@kedge/core/time';
import { FakeClock } from '@kedge/core/testing';
import { FakeBroker } from '@kedge/testing/mqtt';
import { announcements } from './announcements.ts';

test('what is kept while listening has a bound, whatever is retained', async () => {
  const broker = new FakeBroker();
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const publisher = await broker.connect({
    url: broker.url,
    clientId: 'many',
    timeoutMs: 1_000,
    onMessage: async () => undefined,
  });
  const payload = new Uint8Array(1 << 20).fill(0x30);
  for (let n = 0; n < 20; n += 1) {
    await publisher.publish({ topic: `hall/lamp/p${n}`, payload, qos: 0, retain: true });
  }
  const found = await clock.until(
    announcements(
      broker,
      {
        broker: { brokerURL: broker.url, maxPayload: 1 << 20 },
        listenFor: seconds(10),
        discovery: [],
        topics: ['hall/#'],
      },
      { clock, random: { next: () => 0.5, uuid: () => 'id' }, signal: new AbortController().signal },
    ),
  );
  assert.equal(found[0]?.properties.length, 16);
});
