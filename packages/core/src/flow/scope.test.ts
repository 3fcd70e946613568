// Scopes: what is spawned in one ends with it, and what was opened is put away.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openScope, scopeErrors, whenAborted } from '@kedge/core/flow';
import { FakeClock } from '@kedge/core/testing';
import { seconds } from '@kedge/core/time';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const grace = seconds(5);

function create() {
  const clock = new FakeClock({ settle });
  return { clock, scope: openScope({ clock, name: 'test' }) };
}

describe('a scope', () => {
  test('waits for its tasks and then cleans up, last in, first out', async () => {
    const { scope } = create();
    const seen: string[] = [];
    scope.defer('first', () => void seen.push('first away'));
    scope.defer('second', async () => void seen.push('second away'));
    scope.spawn('task', async (signal) => {
      await whenAborted(signal);
      await settle();
      seen.push('task ended');
    });
    assert.deepEqual(await scope.close(grace), []);
    assert.deepEqual(seen, ['task ended', 'second away', 'first away']);
  });

  test('names a task that does not end in time, and goes on without it', async () => {
    const { clock, scope } = create();
    let away = false;
    scope.defer('port', () => {
      away = true;
    });
    scope.spawn('stubborn', () => new Promise(() => undefined));
    assert.deepEqual(await clock.until(scope.close(grace)), ['stubborn']);
    assert.equal(away, true);
    assert.equal(clock.monotonic(), grace);
  });

  test('names a clean-up that fails, and does the others', async () => {
    const { scope } = create();
    let away = false;
    scope.defer('other', () => {
      away = true;
    });
    scope.defer('file', () => {
      throw new Error('disk is gone');
    });
    assert.deepEqual(await scope.close(grace), ['file: disk is gone']);
    assert.equal(away, true);
  });

  test('fails with the first task that rejects, not with those that end because it closes', async () => {
    const { scope } = create();
    scope.spawn('waiting', async (signal) => {
      await whenAborted(signal);
      throw new Error('cancelled');
    });
    scope.spawn('broken', async () => {
      throw new Error('broken');
    });
    assert.match((await scope.failed).message, /broken/);
    assert.deepEqual(await scope.close(grace), []);
  });

  test('a task that throws before its first wait is a failure like any other', async () => {
    const { scope } = create();
    scope.spawn('broken', () => {
      throw new Error('at once');
    });
    assert.match((await scope.failed).message, /at once/);
    await scope.close(grace);
  });

  test('takes no task once it is closed', async () => {
    const { scope } = create();
    await scope.close(grace);
    assert.throws(() => scope.spawn('late', async () => undefined), scopeErrors.CLOSED.is);
  });

  test('puts away at once what is opened after its end', async () => {
    const { scope } = create();
    await scope.close(grace);
    let away = false;
    scope.defer('late', () => {
      away = true;
    });
    scope.defer('late and broken', () => {
      throw new Error('nobody to tell');
    });
    await settle();
    assert.equal(away, true);
  });

  test('also puts away what a clean-up opened', async () => {
    const { scope } = create();
    const seen: string[] = [];
    scope.defer('outer', () => {
      seen.push('outer');
      scope.defer('inner', () => void seen.push('inner'));
    });
    await scope.close(grace);
    assert.deepEqual(seen, ['outer', 'inner']);
  });

  test('closes once, however often it is asked', async () => {
    const { scope } = create();
    let times = 0;
    scope.defer('count', () => {
      times += 1;
    });
    await Promise.all([scope.close(grace), scope.close(grace)]);
    assert.equal(times, 1);
  });
});
