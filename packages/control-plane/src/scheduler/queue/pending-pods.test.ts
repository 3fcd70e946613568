import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as holdsFor, integer, property } from 'fast-check';
import { FakeClock } from '@kedge/core/testing';
import { minutes, seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import { Heap } from './heap.ts';
import { PendingPods } from './pending-pods.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const pod = (name: string, priority = 0): Pod => ({
  metadata: { name, namespace: 'default', uid: `uid-${name}` },
  spec: { containers: [], priority },
});

function setUp() {
  const clock = new FakeClock({ settle });
  const pending = new PendingPods(clock);
  const stop = new AbortController();
  /** What can be taken without waiting; leaves nobody listening. */
  const taken = async () => {
    const all = [];
    for (;;) {
      const round = new AbortController();
      const next = pending.take(round.signal).catch(() => undefined);
      await settle();
      await settle();
      round.abort(new Error('enough'));
      const waiting = await next;
      if (!waiting) return all;
      all.push(waiting);
    }
  };
  return { clock, pending, stop, taken };
}
const names = (all: { key: string }[]) => all.map(({ key }) => key.replace('default/', ''));

test('a heap gives back what it was given, in order', () => {
  holdsFor(
    property(array(integer()), (numbers) => {
      const heap = new Heap<number>((a, b) => a < b);
      for (const number of numbers) heap.push(number);
      const out = numbers.map(() => heap.pop());
      assert.deepEqual(
        out,
        numbers.toSorted((a, b) => a - b),
      );
      assert.equal(heap.pop(), undefined);
    }),
  );
});

test('the highest priority comes first, then the longest wait', async () => {
  const { clock, pending, taken } = setUp();
  pending.put(pod('low'));
  await clock.advance(seconds(1));
  pending.put(pod('high', 10));
  pending.put(pod('low-too'));
  assert.deepEqual(names(await taken()), ['high', 'low', 'low-too']);
});

test('a parked pod comes back, with a delay, when something changes that could help it', async () => {
  const { clock, pending, taken } = setUp();
  pending.put(pod('a'));
  const [waiting] = await taken();
  pending.park(waiting!, new Set(['pod-gone']));
  pending.changed('pod-placed');
  await clock.advance(seconds(60));
  assert.deepEqual(await taken(), []);
  pending.changed('pod-gone');
  assert.deepEqual(await taken(), []);
  await clock.advance(seconds(1));
  assert.deepEqual(names(await taken()), ['a']);
});

test('a change while the pod was being tried is not lost', async () => {
  const { clock, pending, taken } = setUp();
  pending.put(pod('a'));
  const [waiting] = await taken();
  pending.changed('node');
  pending.park(waiting!, new Set(['node']));
  await clock.advance(seconds(1));
  assert.deepEqual(names(await taken()), ['a']);
});

test('waits grow with every vain try, up to ten seconds', async () => {
  const { clock, pending, taken } = setUp();
  pending.put(pod('a'));
  for (const wait of [1, 2, 4, 8, 10, 10]) {
    const [waiting] = await taken();
    pending.retry(waiting!);
    await clock.advance(seconds(wait - 0.5));
    assert.deepEqual(await taken(), []);
    await clock.advance(seconds(0.5));
  }
});

test('nobody is parked for more than five minutes', async () => {
  const { clock, pending, taken } = setUp();
  pending.put(pod('a'));
  pending.park((await taken())[0]!, new Set());
  await clock.advance(minutes(5));
  assert.deepEqual(names(await taken()), ['a']);
});

test('a pod whose spec changed is tried at once, one that is gone never again', async () => {
  const { pending, taken } = setUp();
  pending.put(pod('a'));
  pending.put(pod('b'));
  for (const waiting of await taken()) pending.park(waiting, new Set());
  pending.put(pod('a'));
  pending.drop('default/b');
  assert.deepEqual(names(await taken()), ['a']);
  assert.equal(pending.size, 1);
});
