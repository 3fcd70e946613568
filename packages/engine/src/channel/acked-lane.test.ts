// The lane against a scripted peer: what is sent when, and what happens to items that stay unanswered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { seconds } from '@kedge/core/time';
import { createAckedLane, type LaneItem } from './acked-lane.ts';

const settle = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
};

function rig(window = 1) {
  const clock = new FakeClock({ settle });
  const items: LaneItem<string>[] = [];
  const sent: string[] = [];
  const add = (key: string, id: string, message: () => string = () => id): void => {
    items.push({ key, id, message });
    lane.wake();
  };
  let failing: Error | undefined;
  const lane = createAckedLane<string>({
    clock,
    log: silentLog,
    source: {
      take: (busy) => items.find((item) => !busy(item.key)),
      settle: (item) => void items.splice(items.indexOf(item), 1),
    },
    send: async (message) => {
      if (failing) throw failing;
      sent.push(message);
    },
    window,
  });
  const stop = new AbortController();
  const ran = lane.run(stop.signal);
  return {
    clock,
    lane,
    sent,
    items,
    add,
    ran,
    failWith: (error: Error) => (failing = error),
    end: async () => {
      stop.abort(new Error('test over'));
      await ran;
    },
  };
}

test('one item is under way at a time, in the order of the source', async () => {
  const { clock, lane, sent, items, add, end } = rig();
  add('a', 'a1');
  add('b', 'b1');
  await clock.advance(seconds(1));
  assert.deepEqual(sent, ['a1']);
  assert.equal(lane.acknowledged('a1'), true);
  await clock.advance(seconds(1));
  assert.deepEqual(sent, ['a1', 'b1']);
  assert.deepEqual(
    items.map((item) => item.id),
    ['b1'],
  );
  await end();
});

test('a wider window sends several keys, but never two items of one key', async () => {
  const { clock, sent, add, end } = rig(4);
  add('a', 'a1');
  add('a', 'a2');
  add('b', 'b1');
  await clock.advance(seconds(1));
  assert.deepEqual(sent, ['a1', 'b1']);
  await end();
});

test('an unanswered item is repeated every five seconds, then lets the others pass', async () => {
  const { clock, lane, sent, add, end } = rig();
  add('mute', 'm');
  add('b', 'b1');
  await clock.advance(seconds(24));
  assert.deepEqual(sent, ['m', 'm', 'm', 'm', 'm']);
  await clock.advance(seconds(2));
  assert.deepEqual(sent.slice(5), ['b1']);
  lane.acknowledged('b1');
  await clock.advance(seconds(5));
  assert.deepEqual(sent.slice(5), ['b1', 'm']);
  await end();
});

test('time aside doubles up to thirty seconds and is forgotten after an acknowledgement', async () => {
  const { clock, lane, sent, add, end } = rig();
  add('a', 'a1');
  const waits: number[] = [];
  for (let round = 0; round < 5; round++) {
    await clock.advance(seconds(1));
    const before = sent.length;
    lane.refused('a1');
    const from = clock.monotonic();
    while (sent.length === before) await clock.advance(seconds(1));
    waits.push(Math.round((clock.monotonic() - from) / 1000));
  }
  assert.deepEqual(waits, [5, 10, 20, 30, 30]);
  lane.acknowledged('a1');
  add('a', 'a2');
  await clock.advance(seconds(1));
  lane.refused('a2');
  const count = sent.length;
  await clock.advance(seconds(6));
  assert.equal(sent.length, count + 1);
  await end();
});

test('late and unknown acknowledgements change nothing', async () => {
  const { clock, lane, sent, add, end } = rig();
  assert.equal(lane.acknowledged('never-sent'), false);
  add('a', 'a1');
  await clock.advance(seconds(1));
  lane.acknowledged('a1');
  await clock.advance(seconds(1));
  assert.equal(lane.acknowledged('a1'), false);
  await clock.advance(seconds(60));
  assert.deepEqual(sent, ['a1']);
  await end();
});

test('an item that cannot be made ready steps aside and is tried again', async () => {
  const { clock, sent, add, end } = rig();
  let ready = false;
  add('a', 'a1', () => {
    if (!ready) throw new Error('not yet');
    return 'a1';
  });
  add('b', 'b1');
  await clock.advance(seconds(1));
  assert.deepEqual(sent, ['b1']);
  ready = true;
  await end();
});

test('a broken link ends the lane with the reason and leaves the item with the source', async () => {
  const { items, add, ran, failWith } = rig();
  failWith(new Error('link is gone'));
  add('a', 'a1');
  await assert.rejects(ran, /link is gone/);
  assert.equal(items.length, 1);
});
