// Turns per second: a burst at once, then one after the other, and nothing paid for a turn that was given up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../testing/index.ts';
import { milliseconds, seconds } from '../time/index.ts';
import { createRateLimit } from './rate-limit.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test('a burst leaves at once, the rest at the pace', async () => {
  const clock = new FakeClock({ settle });
  const turn = createRateLimit(clock, 'turn', { perSecond: 10, burst: 3 });
  let done = 0;
  const { signal } = new AbortController();
  for (let i = 0; i < 6; i++) void turn(signal).then(() => done++);
  await settle();
  assert.equal(done, 3);
  await clock.advance(milliseconds(200));
  assert.equal(done, 5);
  await clock.advance(seconds(1));
  assert.equal(done, 6);
});

test('whoever gives up waiting gives its turn back: the next connection need not wait for those of the last', async () => {
  const clock = new FakeClock({ settle });
  const turn = createRateLimit(clock, 'turn', { perSecond: 1, burst: 1 });
  const gone = new AbortController();
  await turn(gone.signal);
  const waiting = Array.from({ length: 100 }, () => turn(gone.signal));
  gone.abort(new Error('link lost'));
  await Promise.allSettled(waiting);
  await clock.advance(seconds(1));
  let isMyTurn = false;
  void turn(new AbortController().signal).then(() => (isMyTurn = true));
  await settle();
  assert.equal(isMyTurn, true);
});
