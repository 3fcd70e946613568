// Waiting, back-off, queues, mutexes and wake-ups.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  abortError,
  backoffDelay,
  BoundedQueue,
  createBackoff,
  flowErrors,
  KeyedMutex,
  orAbort,
  Wakeup,
  whenAborted,
} from '@kedge/core/flow';
import { milliseconds, seconds } from '@kedge/core/time';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const never = new AbortController().signal;

describe('waiting for a promise or a signal', () => {
  test('the promise wins when it settles first', async () => {
    assert.equal(await orAbort(Promise.resolve(1), never), 1);
    await assert.rejects(orAbort(Promise.reject(new Error('broken')), never), /broken/);
  });

  test('the signal wins when it aborts first, and a later failure bothers nobody', async () => {
    const stop = new AbortController();
    const { promise, reject } = Promise.withResolvers<void>();
    const waiting = orAbort(promise, stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    await assert.rejects(orAbort(promise, stop.signal), /enough/);
    reject(new Error('nobody listens'));
    await settle();
  });

  test('whatever a signal aborts with becomes an error', () => {
    assert.match(abortError(AbortSignal.abort(new Error('why'))).message, /why/);
    assert.equal(abortError(AbortSignal.abort('text')).cause, 'text');
  });

  test('a wait for the signal itself ends, also when it had aborted before', async () => {
    const stop = new AbortController();
    const waiting = whenAborted(stop.signal);
    stop.abort();
    await waiting;
    await whenAborted(stop.signal);
  });
});

describe('back-off', () => {
  const options = { first: milliseconds(100), max: seconds(5) };

  test('doubles up to its maximum, and starts again after a reset', () => {
    const backoff = createBackoff(options);
    assert.deepEqual(
      Array.from({ length: 8 }, () => backoff.next()),
      [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000],
    );
    assert.equal(backoff.attempt, 8);
    backoff.reset();
    assert.equal(backoff.next(), 100);
  });

  test('jitter only ever shortens, by at most its share', () => {
    fc.assert(
      fc.property(fc.nat(1_000), fc.double({ min: 0, max: 0.999, noNaN: true }), (attempt, chance) => {
        const full = backoffDelay(attempt, options);
        const wait = backoffDelay(attempt, { ...options, jitter: 0.3, random: () => chance });
        assert.ok(wait <= full && wait >= Math.floor(full * 0.7));
      }),
    );
  });
});

describe('a bounded queue', () => {
  test('hands values on in order, to waiting and to late takers', async () => {
    const queue = new BoundedQueue<number>('numbers', 10);
    const first = queue.take(never);
    queue.push(1);
    queue.push(2);
    assert.equal(await first, 1);
    assert.equal(await queue.take(never), 2);
  });

  test('takes no more than its limit', () => {
    const queue = new BoundedQueue<number>('numbers', 2);
    queue.push(1);
    queue.push(2);
    assert.throws(
      () => queue.push(3),
      (error) => flowErrors.OVERFLOW.is(error) && error.details.queue === 'numbers',
    );
    assert.equal(queue.size, 2);
  });

  test('delivers what it holds after it was closed, and then ends', async () => {
    const queue = new BoundedQueue<number>('numbers', 10);
    queue.push(1);
    queue.close();
    queue.push(2);
    const seen: number[] = [];
    for await (const value of queue) seen.push(value);
    assert.deepEqual(seen, [1]);
    assert.equal(await queue.take(never), undefined);
  });

  test('closing wakes who waits', async () => {
    const queue = new BoundedQueue<number>('numbers', 10);
    const taking = queue.take(never);
    queue.close();
    assert.equal(await taking, undefined);
  });

  test('a wait that is aborted loses nothing', async () => {
    const queue = new BoundedQueue<number>('numbers', 10);
    const stop = new AbortController();
    const taking = queue.take(stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(taking, /enough/);
    queue.push(1);
    assert.equal(await queue.take(never), 1);
  });
});

describe('a mutex by key', () => {
  test('one key at a time, in order; other keys do not wait', async () => {
    const mutex = new KeyedMutex();
    const gate = Promise.withResolvers<void>();
    const seen: string[] = [];
    const work = (key: string, name: string, wait?: Promise<void>) =>
      mutex.run(key, async () => {
        seen.push(`${name} in`);
        await wait;
        seen.push(`${name} out`);
      });
    const all = Promise.all([work('a', 'a1', gate.promise), work('a', 'a2'), work('b', 'b1')]);
    await settle();
    assert.deepEqual(seen, ['a1 in', 'b1 in', 'b1 out']);
    gate.resolve();
    await all;
    assert.deepEqual(seen.slice(3), ['a1 out', 'a2 in', 'a2 out']);
  });

  test('a failure is for its own caller, and the next goes on', async () => {
    const mutex = new KeyedMutex();
    const failing = mutex.run('a', () => Promise.reject(new Error('broken')));
    const next = mutex.run('a', () => Promise.resolve('fine'));
    await assert.rejects(failing, /broken/);
    assert.equal(await next, 'fine');
  });
});

describe('a wake-up', () => {
  test('wakes everyone who waits', async () => {
    const wakeup = new Wakeup();
    const waiting = Promise.all([wakeup.wait(never), wakeup.wait(never)]);
    wakeup.wake();
    await waiting;
  });

  test('is remembered once when nobody waits', async () => {
    const wakeup = new Wakeup();
    wakeup.wake();
    wakeup.wake();
    await wakeup.wait(never);
    let again = false;
    const stop = new AbortController();
    const second = wakeup.wait(stop.signal).then(
      () => (again = true),
      () => undefined,
    );
    await settle();
    stop.abort();
    await second;
    assert.equal(again, false);
  });

  test('that reaches only somebody who has just given up is kept for the next', async () => {
    const wakeup = new Wakeup();
    const stop = new AbortController();
    const waiting = wakeup.wait(stop.signal);
    stop.abort(new Error('enough'));
    wakeup.wake();
    await assert.rejects(waiting, /enough/);
    await wakeup.wait(never);
  });
});
