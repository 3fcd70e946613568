// Waiting with a limit.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '@kedge/core/testing';
import { seconds, withTimeout } from '@kedge/core/time';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const tooLate = () => new Error('too late');

test('what is ready in time is the result, and nobody waits any more', async () => {
  const clock = new FakeClock({ settle });
  const work = clock.sleep('work', seconds(1)).then(() => 'done');
  assert.equal(await clock.until(withTimeout(clock, 'limit', seconds(2), work, tooLate)), 'done');
  await settle();
  assert.deepEqual(clock.waiting, []);
});

test('what is not ready in time is an error', async () => {
  const clock = new FakeClock({ settle });
  const work = clock.sleep('work', seconds(3));
  await assert.rejects(clock.until(withTimeout(clock, 'limit', seconds(2), work, tooLate)), /too late/);
  assert.deepEqual(clock.waiting, ['work (in 1000 ms)']);
});

test('what fails in time fails as it did', async () => {
  const clock = new FakeClock({ settle });
  const work = Promise.reject(new Error('broken'));
  await assert.rejects(withTimeout(clock, 'limit', seconds(2), work, tooLate), /broken/);
});
