import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant, seconds, toTime } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import {
  type PodFacts,
  proposeByAverage,
  proposeByRatio,
  proposeByUtilization,
  proposePerPod,
} from './replica-proposal.ts';

const now = instant(10_000_000);
const ready = (name: string, more: Partial<NonNullable<Pod['status']>> = {}, deleted = false): Pod => ({
  metadata: { name, ...(deleted ? { deletionTimestamp: toTime(now) } : {}) },
  status: {
    phase: 'Running',
    startTime: toTime(instant(now - 3_600_000)),
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: toTime(instant(now - 3_500_000)) }],
    ...more,
  },
});
const starting = (name: string): Pod =>
  ready(name, {
    startTime: toTime(instant(now - 20_000)),
    conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: toTime(instant(now - 20_000)) }],
  });
const facts = (pods: Pod[], used: Record<string, number>, resource = 'cpu'): PodFacts => ({
  current: pods.length,
  pods,
  readings: new Map(Object.entries(used).map(([name, value]) => [name, { value, at: now, window: seconds(30) }])),
  resource,
  now,
});
const requests = (...names: string[]): Map<string, number> => new Map(names.map((name) => [name, 1_000]));
const abc = requests('a', 'b', 'c');

const utilization: [what: string, facts: PodFacts, target: number, expected: number | string][] = [
  ['all at the target', facts([ready('a'), ready('b')], { a: 500, b: 500 }), 50, 2],
  ['a little above is noise', facts([ready('a'), ready('b')], { a: 550, b: 540 }), 50, 2],
  ['above', facts([ready('a'), ready('b'), ready('c')], { a: 900, b: 900, c: 900 }), 50, 6],
  ['below', facts([ready('a'), ready('b'), ready('c')], { a: 100, b: 100, c: 100 }), 50, 1],
  ['pods that start do not make it grow', facts([ready('a'), starting('b')], { a: 900, b: 2_000 }), 50, 2],
  ['pods that start do not shrink it', facts([ready('a'), starting('b')], { a: 100, b: 10 }), 50, 1],
  [
    'growing with pods that start counts them as idle',
    facts([ready('a'), ready('b'), starting('c')], { a: 1_000, b: 1_000, c: 0 }),
    50,
    4,
  ],
  ['memory of pods that start counts', facts([ready('a'), starting('b')], { a: 900, b: 900 }, 'memory'), 50, 4],
  ['missing pods are idle when growing', facts([ready('a'), ready('b'), ready('c')], { a: 1_000, b: 1_000 }), 50, 4],
  ['missing pods are busy when shrinking', facts([ready('a'), ready('b'), ready('c')], { a: 100, b: 100 }), 50, 3],
  ['leaving pods do not count', facts([ready('a'), ready('b', {}, true)], { a: 900, b: 900 }), 50, 2],
  ['no pods', facts([], { a: 1 }), 50, 'no pods returned by selector while calculating replica count'],
  [
    'only pods that start',
    facts([starting('a')], { a: 900 }),
    50,
    'did not receive metrics for targeted pods (pods might be unready)',
  ],
  ['nobody known', facts([ready('x')], { y: 900 }), 50, 'no metrics returned matched known pods'],
];
for (const [what, given, target, expected] of utilization) {
  test(`by utilization: ${what}`, () => {
    const got = proposeByUtilization(given, abc, target);
    assert.equal(got.ok ? got.value.replicas : got.why, expected);
  });
}

test('utilization and average are those of the pods that count', () => {
  const got = proposeByUtilization(facts([ready('a'), ready('b')], { a: 300, b: 500 }), abc, 50);
  assert.deepEqual(got, { ok: true, value: { replicas: 2, utilization: 40, average: 400 } });
});

test('by average value', () => {
  assert.deepEqual(proposeByAverage(facts([ready('a'), ready('b')], { a: 30_000, b: 10_000 }, ''), 10_000), {
    ok: true,
    value: { replicas: 4, average: 20_000 },
  });
});

test('metrics of something else than pods', () => {
  assert.equal(proposeByRatio(3, 2, 3), 6);
  assert.equal(proposeByRatio(3, 1.05, 2), 3);
  assert.equal(proposeByRatio(0, 0.3, 0), 1);
  assert.deepEqual(proposePerPod(2, 90_000, 30_000), { replicas: 3, average: 45_000 });
  assert.deepEqual(proposePerPod(3, 92_000, 30_000), { replicas: 3, average: 30_667 });
});
