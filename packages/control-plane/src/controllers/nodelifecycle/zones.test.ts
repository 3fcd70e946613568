import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant } from '@kedge/core/time';
import type { Node } from '@kedge/model/k8s-types';
import { EvictionPace, judgeZone, zoneState } from './zones.ts';

const nodes = (zone: string, ready: number, unready: number): Node[] =>
  Array.from({ length: ready + unready }, (_, at) => ({
    metadata: { name: `${zone}${at}`, labels: { 'topology.kubernetes.io/zone': zone } },
    status: { conditions: [{ type: 'Ready', status: at < ready ? 'True' : 'Unknown' }] },
  }));

const states: [ready: number, unready: number, state: string][] = [
  [3, 0, 'normal'],
  [3, 1, 'normal'],
  [1, 2, 'normal'],
  [2, 3, 'partial'],
  [3, 3, 'normal'],
  [0, 1, 'full'],
];
for (const [ready, unready, state] of states) {
  test(`${ready} ready and ${unready} not: ${state}`, () => assert.equal(zoneState(nodes('a', ready, unready)), state));
}

const judged: [what: string, all: Node[], rate: number, allDown: boolean][] = [
  ['a node alone', nodes('a', 2, 1), 0.1, false],
  ['a zone of several', [...nodes('a', 0, 2), ...nodes('b', 2, 0)], 0.1, false],
  ['part of a zone of a small cluster', [...nodes('a', 2, 4), ...nodes('b', 2, 0)], 0, false],
  ['part of a zone of a large cluster', [...nodes('a', 2, 4), ...nodes('b', 50, 0)], 0.01, false],
  ['everything', [...nodes('a', 0, 2), ...nodes('b', 0, 2)], 0, true],
];
for (const [what, all, rate, allDown] of judged) {
  test(`when ${what} is silent, ${rate} nodes a second`, () =>
    assert.deepEqual(judgeZone(all[0]!, all), { rate, allDown }));
}

test('the nodes of a zone take turns, those of another do not wait', () => {
  const pace = new EvictionPace();
  const take = (zone: string, at: number) => pace.take(zone, 0.1, instant(at));
  assert.deepEqual([take('a', 0), take('a', 9_000), take('b', 9_000), take('a', 10_000)], [true, false, true, true]);
  assert.equal(pace.take('c', 0, instant(0)), false);
});
