// Who has to go for whom, as a table; and what is said when nobody can.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLabelSelector } from '@kedge/model/k8s-selectors';
import type { Node, Pod, PodSpec } from '@kedge/model/k8s-types';
import { chooseNode, filterNodes } from './choose-node.ts';
import type { ClusterFacts } from './filters/filter.ts';
import { type Budget, planPreemption } from './plan-preemption.ts';
import { ClusterTable } from './state/cluster-table.ts';
import { podFacts } from './state/pod-facts.ts';
import { noStorage } from './testing/no-storage.ts';

const node = (name: string, taints: NonNullable<Node['spec']>['taints'] = []): Node => ({
  metadata: { name },
  spec: { taints },
  status: { allocatable: { cpu: '4', memory: '8Gi', pods: '110' } },
});
const pod = (name: string, cpu: string, priority = 0, more: Partial<PodSpec> = {}, started?: string): Pod => ({
  metadata: { name, namespace: 'default', labels: { app: name } },
  spec: { priority, containers: [{ name: 'main', resources: { requests: { cpu } } }], ...more },
  ...(started ? { status: { startTime: `2026-01-01T00:00:${started}Z` } } : {}),
});
const protect = (app: string, allowed = 0): Budget => ({
  namespace: 'default',
  selector: parseLabelSelector(`app=${app}`),
  allowed,
  granted: new Set(),
});

function cluster(placed: Record<string, readonly Pod[]>, nodes: readonly Node[]): ClusterFacts {
  const table = new ClusterTable();
  for (const one of nodes) table.putNode(one);
  for (const [name, pods] of Object.entries(placed)) for (const one of pods) table.putPod(one, name);
  return {
    nodes: table.nodes(),
    repelling: table.repelling,
    nodeOf: () => undefined,
    namespaceLabels: () => ({}),
    nominated: new Map(),
    storage: noStorage,
  };
}

const table: [
  what: string,
  pod: Pod,
  placed: Record<string, readonly Pod[]>,
  budgets: readonly Budget[],
  expected: string,
][] = [
  [
    'only as many as have to go',
    pod('p', '2', 10),
    { a: [pod('x', '2', 1, {}, '01'), pod('y', '2', 1, {}, '02')] },
    [],
    'a: y',
  ],
  [
    'the least important node',
    pod('p', '4', 10),
    { a: [pod('x', '2', 5)], b: [pod('y', '2', 1), pod('z', '2', 2)], c: [pod('w', '4', 3)] },
    [],
    'b: z y',
  ],
  [
    'the fewest among equals',
    pod('p', '4', 10),
    { a: [pod('x', '2', 1), pod('y', '2', 1)], b: [pod('z', '4', 1)], c: [pod('w', '4', 10)] },
    [],
    'b: z',
  ],
  [
    'one that started last among equals',
    pod('p', '4', 10),
    { a: [pod('x', '4', 1, {}, '01')], b: [pod('y', '4', 1, {}, '02')], c: [pod('w', '4', 10)] },
    [],
    'b: y',
  ],
  [
    'nobody that a budget protects, if there is another',
    pod('p', '4', 10),
    { a: [pod('x', '4', 1)], b: [pod('y', '4', 5)], c: [pod('w', '4', 10)] },
    [protect('x')],
    'b: y',
  ],
  [
    'a protected one when there is no other way',
    pod('p', '4', 10),
    { a: [pod('x', '4', 1)], b: [pod('y', '4', 10)], c: [pod('w', '4', 10)] },
    [protect('x')],
    'a: x',
  ],
  [
    'a budget with something left protects nobody',
    pod('p', '4', 10),
    { a: [pod('x', '4', 1)], b: [pod('y', '4', 5)], c: [pod('w', '4', 10)] },
    [protect('x', 1)],
    'a: x',
  ],
  [
    'nobody of the same priority',
    pod('p', '4', 1),
    { a: [pod('x', '4', 1)], b: [pod('y', '4', 1)], c: [pod('z', '1', 0)], d: [] },
    [],
    'c: z',
  ],
  [
    'no victims where there are none',
    pod('p', '4', 0),
    { a: [pod('x', '4')], b: [pod('y', '4')], c: [pod('z', '4')] },
    [],
    'preemption: 0/3 nodes are available: 3 No preemption victims found for incoming pod.',
  ],
  [
    'not when even all of them are not enough',
    pod('p', '9', 10),
    { a: [pod('x', '4')], b: [pod('y', '4')], c: [] },
    [],
    'preemption: 0/3 nodes are available: 1 No preemption victims found for incoming pod, 2 Insufficient cpu.',
  ],
  [
    'not by one that may not',
    pod('p', '4', 10, { preemptionPolicy: 'Never' }),
    { a: [pod('x', '4')], b: [pod('y', '4')], c: [pod('z', '4')] },
    [],
    'preemption: not eligible due to preemptionPolicy=Never.',
  ],
  [
    'not where it does not help',
    pod('p', '4', 10, { nodeSelector: { disk: 'fast' } }),
    { a: [pod('x', '4')], b: [], c: [] },
    [],
    'preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.',
  ],
];
for (const [what, one, placed, budgets, expected] of table) {
  test(`preemption: ${what}`, () => {
    const facts = cluster(
      placed,
      Object.keys(placed)
        .slice(0, 3)
        .map((name) => node(name)),
    );
    const { refusals } = filterNodes(podFacts(one), facts);
    const got = planPreemption(podFacts(one), facts, refusals, budgets);
    const said = got.ok
      ? `${got.victims.node}: ${got.victims.pods.map(({ pod: { metadata } }) => metadata.name).join(' ')}`
      : got.why;
    assert.equal(said, expected);
  });
}

test('room that others leave for a more important pod is not taken, nor left once more', () => {
  const meek = podFacts(pod('meek', '3', 10));
  const plain = cluster({ a: [pod('low', '3', 0)] }, [node('a')]);
  const facts = { ...plain, nominated: new Map([['a', [podFacts(pod('high', '3', 1_000))]]]) };
  const choice = chooseNode(meek, facts, () => 0);
  assert.ok(!choice.ok);
  const preemption = planPreemption(meek, facts, choice.refusals, []);
  assert.deepEqual(preemption, { ok: false, why: 'preemption: 0/1 nodes are available: 1 Insufficient cpu.' });
  const free = { ...facts, nodes: cluster({}, [node('a')]).nodes };
  assert.equal(chooseNode(meek, free, () => 0).ok, false);
  assert.equal(chooseNode(podFacts(pod('higher', '3', 2_000)), free, () => 0).ok, true);
});
