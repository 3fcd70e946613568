// Reconcilers: one pass per key at a time, failures tried again later, nothing forgotten.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { again, createReconciler, done, type Next, type ReconcilerOptions } from '@kedge/core/control';
import { defineErrors } from '@kedge/core/errors';
import { openScope } from '@kedge/core/flow';
import { createLog, type LogRecord } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { minutes, seconds } from '@kedge/core/time';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

function place(t: TestContext, reconcile: ReconcilerOptions['reconcile'], more: Partial<ReconcilerOptions> = {}) {
  const clock = new FakeClock({ settle });
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => clock.now(), level: 'warn', write: (record) => logged.push(record) });
  const scope = openScope({ clock, name: 'test' });
  t.after(() => clock.until(scope.close(seconds(1))));
  const reconciler = createReconciler({ name: 'test', clock, log, reconcile, ...more });
  return { clock, logged, scope, reconciler };
}

/** Passes that end when told to. */
function gated() {
  const started: string[] = [];
  const gates = new Map<string, PromiseWithResolvers<Next>>();
  return {
    started,
    end: (key: string, next: Next = done) => gates.get(key)!.resolve(next),
    reconcile(key: string): Promise<Next> {
      started.push(key);
      gates.set(key, Promise.withResolvers());
      return gates.get(key)!.promise;
    },
  };
}

describe('a reconciler', () => {
  test('looks at what was queued before it was started', async (t) => {
    const seen: string[] = [];
    const { reconciler, scope } = place(t, async (key) => {
      seen.push(key);
      return done;
    });
    reconciler.enqueue('a');
    reconciler.enqueueAfter('b', minutes(5));
    reconciler.enqueue('a');
    reconciler.start(scope);
    await settle();
    assert.deepEqual(seen, ['a', 'b']);
    assert.equal(reconciler.pending, 0);
  });

  test('never has one key in work twice, and looks again when it changed meanwhile', async (t) => {
    const work = gated();
    const { reconciler, scope } = place(t, work.reconcile, { parallel: 10 });
    reconciler.start(scope);
    reconciler.enqueue('a');
    await settle();
    reconciler.enqueue('a');
    reconciler.enqueue('a');
    await settle();
    assert.deepEqual(work.started, ['a']);
    work.end('a');
    await settle();
    assert.deepEqual(work.started, ['a', 'a']);
    work.end('a');
    await settle();
    assert.equal(reconciler.pending, 0);
  });

  test('has as many keys in work as it may, and no more', async (t) => {
    const work = gated();
    const { reconciler, scope } = place(t, work.reconcile, { parallel: 2 });
    reconciler.start(scope);
    for (const key of ['a', 'b', 'c']) reconciler.enqueue(key);
    await settle();
    assert.deepEqual(work.started, ['a', 'b']);
    work.end('b');
    await settle();
    assert.deepEqual(work.started, ['a', 'b', 'c']);
    for (const key of ['a', 'c']) work.end(key);
  });

  test('lets a pass that takes long make room for others, and counts it once', async (t) => {
    const work = gated();
    const { clock, reconciler, scope } = place(t, work.reconcile, { parallel: 1, slowAfter: seconds(5) });
    reconciler.start(scope);
    for (const key of ['a', 'b', 'c']) reconciler.enqueue(key);
    await clock.advance(seconds(4));
    assert.deepEqual(work.started, ['a']);
    await clock.advance(seconds(1));
    assert.deepEqual(work.started, ['a', 'b']);
    work.end('a');
    await clock.advance(seconds(4));
    assert.deepEqual(work.started, ['a', 'b'], 'the place of a slow pass was given away already');
    work.end('b');
    await settle();
    assert.deepEqual(work.started, ['a', 'b', 'c']);
    work.end('c');
    await settle();
    assert.deepEqual(clock.waiting, []);
  });

  test('looks again when a pass asked for it, not earlier', async (t) => {
    const seen: number[] = [];
    const { clock, reconciler, scope } = place(t, async () => {
      seen.push(clock.monotonic());
      return seen.length === 1 ? again(seconds(20), 'pull backing off') : done;
    });
    reconciler.start(scope);
    reconciler.enqueue('a');
    await clock.advance(seconds(19));
    assert.deepEqual(seen, [0]);
    await clock.advance(minutes(5));
    assert.deepEqual(seen, [0, 20_000]);
  });

  test('an event comes before a look that was planned, and replaces it', async (t) => {
    const seen: number[] = [];
    const { clock, reconciler, scope } = place(t, async () => {
      seen.push(clock.monotonic());
      return done;
    });
    reconciler.start(scope);
    reconciler.enqueueAfter('a', seconds(60));
    reconciler.enqueueAfter('a', seconds(30));
    reconciler.enqueueAfter('a', seconds(90));
    await clock.advance(seconds(10));
    reconciler.enqueue('a');
    await clock.advance(minutes(5));
    assert.deepEqual(seen, [10_000]);
    reconciler.enqueueAfter('a', seconds(60));
    reconciler.enqueueAfter('a', seconds(30));
    await clock.advance(minutes(5));
    assert.deepEqual(seen, [10_000, 340_000]);
  });

  test('a failed pass is tried again, later each time, and is logged when it does not get better', async (t) => {
    const seen: number[] = [];
    const { clock, logged, reconciler, scope } = place(
      t,
      async () => {
        seen.push(clock.monotonic());
        if (seen.length <= 5) throw new Error('not yet');
        return done;
      },
      { firstRetry: seconds(1), maxRetry: seconds(5) },
    );
    reconciler.start(scope);
    reconciler.enqueue('a');
    await clock.advance(minutes(5));
    assert.deepEqual(seen, [0, 1_000, 3_000, 7_000, 12_000, 17_000]);
    assert.deepEqual(
      logged.map(({ fields }) => [fields.key, fields.attempt, fields.reason]),
      [
        ['a', 4, 'not yet'],
        ['a', 5, 'not yet'],
      ],
    );
    assert.equal(reconciler.pending, 0);
  });

  test('a success makes the next failure a first one again', async (t) => {
    const outcomes = [false, false, true, false, true];
    const seen: number[] = [];
    const { clock, reconciler, scope } = place(
      t,
      async () => {
        seen.push(clock.monotonic());
        if (outcomes.shift()) return done;
        throw new Error('not yet');
      },
      { firstRetry: seconds(1) },
    );
    reconciler.start(scope);
    reconciler.enqueue('a');
    await clock.advance(seconds(10));
    reconciler.enqueue('a');
    await clock.advance(seconds(10));
    assert.deepEqual(seen, [0, 1_000, 3_000, 10_000, 11_000]);
  });

  test('what cannot get better is given up, until something changes', async (t) => {
    const { INVALID } = defineErrors('TEST', { INVALID: { retry: 'never', say: () => 'no such thing' } });
    let passes = 0;
    const { clock, logged, reconciler, scope } = place(t, async () => {
      passes += 1;
      throw INVALID(undefined);
    });
    reconciler.start(scope);
    reconciler.enqueue('a');
    await clock.advance(minutes(60));
    assert.equal(passes, 1);
    assert.equal(logged[0]?.level, 'error');
    reconciler.enqueue('a');
    await clock.advance(minutes(60));
    assert.equal(passes, 2);
  });

  test('one failing key does not hold up the others', async (t) => {
    const seen: string[] = [];
    const { clock, reconciler, scope } = place(t, async (key) => {
      seen.push(key);
      if (key === 'bad') throw new Error('always');
      return done;
    });
    reconciler.start(scope);
    reconciler.enqueue('bad');
    reconciler.enqueue('good');
    await clock.advance(seconds(0));
    assert.deepEqual(seen, ['bad', 'good']);
  });

  test('a scope that closes waits for the pass in hand, and begins no other', async (t) => {
    const seen: string[] = [];
    const { clock, reconciler, scope } = place(t, async (key, signal) => {
      seen.push(`${key} began`);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      await settle();
      seen.push(`${key} ended`);
      return again(seconds(1), 'never');
    });
    scope.defer('store', () => void seen.push('store closed'));
    reconciler.start(scope);
    reconciler.enqueue('a');
    reconciler.enqueue('b');
    await settle();
    assert.deepEqual(await scope.close(seconds(5)), []);
    await clock.advance(minutes(1));
    assert.deepEqual(seen, ['a began', 'a ended', 'store closed']);
    assert.deepEqual(clock.waiting, []);
  });
});
