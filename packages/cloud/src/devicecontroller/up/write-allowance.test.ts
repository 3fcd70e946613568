// One device's writes: a burst at once, then one per interval, and never more than that, however late they begin.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { seconds } from '@kedge/core/time';
import { WriteAllowance } from './write-allowance.ts';

const interval = seconds(1);

/** When reports at these times are written; each write takes everything before it, and begins late by this. */
function writesOf(reports: readonly number[], burst: number, late: (at: number) => number): number[] {
  const allowance = new WriteAllowance({ interval, burst });
  const writes: number[] = [];
  for (const wantedAt of reports) {
    if ((writes.at(-1) ?? -1) >= wantedAt) continue;
    const due = Math.max(wantedAt, allowance.nextAt);
    writes.push(Math.max(due + late(due), writes.at(-1) ?? 0));
    allowance.spend(wantedAt);
  }
  return writes;
}

const never = (): number => 0;

test('a device that was quiet is written five times at once, then once a second', () => {
  const reports = Array.from({ length: 80 }, (_, n) => 10_000 + n * 100);
  const expected = [10_000, 10_100, 10_200, 10_300, 10_400, 11_000, 12_000, 13_000, 14_000, 15_000, 16_000, 17_000];
  assert.deepEqual(writesOf(reports, 5, never).slice(0, 12), expected);
});

test('what was held up once is on time again: being late costs no turn', () => {
  const reports = Array.from({ length: 10 }, (_, n) => 10_000 + n * 1_000);
  const once = (due: number): number => (due === 12_000 ? 700 : 0);
  assert.deepEqual(
    writesOf(reports, 1, once),
    reports.map((at) => (at === 12_000 ? 12_700 : at)),
  );
});

test('no time has more writes that were due than the burst and one per interval', () => {
  const gaps = fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(gaps, fc.integer({ min: 1, max: 6 }), (between, burst) => {
      let at = 0;
      const writes = writesOf(
        between.map((gap) => (at += gap)),
        burst,
        never,
      );
      for (const [first, from] of writes.entries()) {
        for (const [last, to] of writes.entries()) {
          if (last < first) continue;
          assert.ok(last - first + 1 <= burst + (to - from) / interval, `${last - first + 1} in ${to - from} ms`);
        }
      }
    }),
  );
});

test('a device is short when its next write but one would wait', () => {
  const allowance = new WriteAllowance({ interval, burst: 2 });
  allowance.spend(5_000);
  assert.deepEqual([allowance.isShort(5_000), allowance.isShort(6_000)], [true, false]);
  const free = new WriteAllowance({ interval: seconds(0), burst: 1 });
  free.spend(5_000);
  assert.deepEqual([free.isShort(4_999), free.nextAt], [false, 5_000]);
});
