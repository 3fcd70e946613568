// The clock of tests stands still until it is told to move.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FakeClock } from '@kedge/core/testing';
import { instant, milliseconds, minutes, seconds } from '@kedge/core/time';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const create = () => new FakeClock({ settle });

describe('FakeClock', () => {
  test('stands still by itself', async () => {
    const clock = create();
    const at = clock.now();
    await settle();
    assert.equal(clock.now(), at);
    assert.equal(clock.monotonic(), 0);
  });

  test('wakes sleepers in the order in which they are due, each before the next', async () => {
    const clock = create();
    const seen: string[] = [];
    const sleeper = async (name: string, after: number) => {
      await clock.sleep(name, seconds(after));
      seen.push(`${name} at ${clock.monotonic()}`);
    };
    void sleeper('b', 2);
    void sleeper('a', 1).then(() => sleeper('a again', 0.5));
    void sleeper('c', 3);
    await clock.advance(seconds(2));
    assert.deepEqual(seen, ['a at 1000', 'a again at 1500', 'b at 2000']);
    assert.deepEqual(clock.waiting, ['c (in 1000 ms)']);
  });

  test('a sleep that is aborted rejects with the reason and is forgotten', async () => {
    const clock = create();
    const stop = new AbortController();
    const sleeping = clock.sleep('long', minutes(5), stop.signal);
    stop.abort(new Error('enough'));
    await assert.rejects(sleeping, /enough/);
    await assert.rejects(clock.sleep('late', minutes(5), stop.signal), /enough/);
    assert.deepEqual(clock.waiting, []);
  });

  test('until moves time no further than needed', async () => {
    const clock = create();
    void clock.sleep('someone else', minutes(10));
    await clock.until(clock.sleep('us', minutes(5)));
    assert.equal(clock.monotonic(), minutes(5));
  });

  test('until says who waits for what when nothing can settle the promise', async () => {
    const clock = create();
    void clock.sleep('redial', minutes(5));
    await assert.rejects(clock.until(new Promise(() => undefined), minutes(1)), /waiting: redial \(in 300000 ms\)/);
    await assert.rejects(create().until(new Promise(() => undefined)), /waiting: nobody/);
  });

  test('until hands on a rejection', async () => {
    await assert.rejects(create().until(Promise.reject(new Error('broken'))), /broken/);
  });

  test('a jump of the wall clock does not wake or delay anybody', async () => {
    const clock = create();
    const sleeping = clock.sleep('us', seconds(10));
    clock.jumpTo(instant(Date.UTC(1999, 0, 1)));
    assert.equal(clock.now(), Date.UTC(1999, 0, 1));
    await clock.advance(seconds(9));
    assert.deepEqual(clock.waiting, ['us (in 1000 ms)']);
    await clock.until(sleeping);
    assert.equal(clock.now(), Date.UTC(1999, 0, 1) + 10_000);
  });

  test('a sleep of no or negative length is due at once', async () => {
    const clock = create();
    await clock.until(clock.sleep('now', milliseconds(-5)));
    assert.equal(clock.monotonic(), 0);
  });
});
