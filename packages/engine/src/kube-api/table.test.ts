import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant, seconds } from '@kedge/core/time';
import { age, humanDuration } from './table.ts';

test('an age has at most two units, coarser the longer it is', () => {
  const minute = 60;
  const hour = 60 * minute;
  const day = 24 * hour;
  for (const [duration, text] of [
    [0, '0s'],
    [119, '119s'],
    [2 * minute, '2m'],
    [3 * minute + 20, '3m20s'],
    [10 * minute + 5, '10m'],
    [3 * hour, '3h'],
    [5 * hour + 10 * minute, '5h10m'],
    [30 * hour + 59 * minute, '30h'],
    [2 * day, '2d'],
    [4 * day + 3 * hour, '4d3h'],
    [20 * day, '20d'],
    [2 * 365 * day + 100 * day, '2y100d'],
    [9 * 365 * day + 5 * day, '9y'],
    [-1, '0s'],
    [-10, '<invalid>'],
  ] as const) {
    assert.equal(humanDuration(seconds(duration)), text);
  }
  assert.equal(age(undefined, instant(0)), '<unknown>');
});
