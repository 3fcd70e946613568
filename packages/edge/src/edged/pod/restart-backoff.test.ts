// How long a container that keeps failing is held back.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { instant, minutes, seconds } from '@kedge/core/time';
import { decideRestart, type RestartBackoff } from './restart-backoff.ts';

const at = (s: number) => instant(s * 1_000);

describe('restart back-off', () => {
  test('a container that crashes at once waits 0, 10, 20, 40, ... seconds, and never more than five minutes', () => {
    let backoff: RestartBackoff | undefined;
    let now = 1_000;
    const waits: number[] = [];
    for (let crash = 0; crash < 8; crash++) {
      const endedAt = at(now);
      const first = decideRestart(backoff, endedAt, endedAt);
      const startAt = first.restart ? endedAt : first.at;
      waits.push((startAt - endedAt) / 1_000);
      const decision = decideRestart(backoff, endedAt, startAt);
      assert.ok(decision.restart);
      backoff = decision.backoff;
      now = startAt / 1_000;
    }
    assert.deepEqual(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
  });

  test('a run of more than ten minutes clears the back-off', () => {
    const backoff = { delay: minutes(5), setAt: at(1_000) };
    const decision = decideRestart(backoff, at(1_601), at(1_601));
    assert.deepEqual(decision, { restart: true, backoff: { delay: seconds(10), setAt: at(1_601) } });
  });

  test('a clock that was set back does not hold a container', () => {
    const backoff = { delay: seconds(20), setAt: at(5_000) };
    assert.equal(decideRestart(backoff, at(5_005), at(100)).restart, true);
  });
});
