// Two candidates for one lease.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whenAborted } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { hours, minus, plus, seconds } from '@kedge/core/time';
import { createLeaderElection } from '@kedge/engine/leader-election';
import { createFakeKubeApi } from '@kedge/testing/kube';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const lease = { namespace: 'kubeedge', name: 'cloudcore' };

function setUp() {
  const clock = new FakeClock({ settle });
  const api = createFakeKubeApi({ clock });
  const leading = new Set<string>();
  let most = 0;
  const candidate = (identity: string) => {
    const stop = new AbortController();
    let isCut = false;
    const cut = new Error('no connection');
    const guarded = {
      get: (...args: Parameters<typeof api.get>) => (isCut ? Promise.reject(cut) : api.get(...args)),
      create: (...args: Parameters<typeof api.create>) => (isCut ? Promise.reject(cut) : api.create(...args)),
      update: (...args: Parameters<typeof api.update>) => (isCut ? Promise.reject(cut) : api.update(...args)),
    };
    const random = { next: () => 0, uuid: () => '' };
    const election = createLeaderElection({ api: guarded, clock, log: silentLog, random, lease, identity });
    const ended = election.run(async (signal) => {
      leading.add(identity);
      most = Math.max(most, leading.size);
      await whenAborted(signal);
      leading.delete(identity);
    }, stop.signal);
    return {
      election,
      cut: (is: boolean) => {
        isCut = is;
      },
      async stop() {
        stop.abort(new Error('stop'));
        await clock.until(ended);
      },
    };
  };
  return { clock, leading, candidate, most: () => most };
}

test('one leads, and when it stops the other follows without waiting for the lease to expire', async () => {
  const { clock, leading, candidate, most } = setUp();
  const a = candidate('a');
  const b = candidate('b');
  await clock.advance(seconds(30));
  assert.equal(leading.size, 1);
  const [first, second] = leading.has('a') ? [a, b] : [b, a];
  await first.stop();
  await clock.advance(seconds(4));
  assert.equal(second.election.isLeader, true);
  assert.equal(most(), 1);
  await second.stop();
  assert.equal(leading.size, 0);
});

test('a leader that is cut off stops before the other starts, and does not come back by force', async () => {
  const { clock, leading, candidate, most } = setUp();
  const a = candidate('a');
  await clock.advance(seconds(5));
  const b = candidate('b');
  a.cut(true);
  await clock.advance(seconds(13));
  assert.deepEqual([...leading], []);
  await clock.advance(seconds(10));
  assert.deepEqual([...leading], ['b']);
  a.cut(false);
  await clock.advance(seconds(60));
  assert.deepEqual([[...leading], most()], [['b'], 1]);
  await a.stop();
  await b.stop();
});

for (const [what, jump] of [
  ['ahead', plus],
  ['back', minus],
] as const) {
  test(`a clock that is set ${what} by a day moves no lease: whoever leads goes on, and the other waits`, async () => {
    const { clock, leading, candidate, most } = setUp();
    const a = candidate('a');
    await clock.advance(seconds(5));
    const b = candidate('b');
    await clock.advance(seconds(5));
    clock.jumpTo(jump(clock.now(), hours(24)));
    await clock.advance(seconds(60));
    assert.deepEqual([[...leading], most()], [['a'], 1]);
    // And a leader that is gone is followed as soon as ever.
    a.cut(true);
    await clock.advance(seconds(25));
    assert.deepEqual([[...leading], most()], [['b'], 1]);
    await a.stop();
    await b.stop();
  });
}
