// Where daemons run and how they are replaced, as tables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant } from '@kedge/core/time';
import type { DaemonSet, DaemonSetSpec, Node, Pod, PodSpec, Taint } from '@kedge/model/k8s-types';
import { daemonPod, nodeOfDaemonPod } from './daemon-pod.ts';
import { daemonSetStatus } from './daemon-set-status.ts';
import { type DaemonFacts, eligibility, groupByNode, planDaemonRollout, planDaemons } from './plan-daemons.ts';

const set = (pod: Partial<PodSpec> = {}, spec: Partial<DaemonSetSpec> = {}): DaemonSet => ({
  metadata: { name: 'agent', namespace: 'default', uid: 'set' },
  spec: {
    selector: { matchLabels: { app: 'agent' } },
    template: { metadata: { labels: { app: 'agent' } }, spec: { containers: [{ name: 'main' }], ...pod } },
    ...spec,
  },
});
const node = (name: string, taints: Taint[] = [], labels: Record<string, string> = {}): Node => ({
  metadata: { name, labels },
  spec: { taints },
});
const taint = (key: string, effect: string): Taint => ({ key, effect });

const eligible: [sentence: string, set: DaemonSet, node: Node, expected: [runs: boolean, stays: boolean]][] = [
  ['everywhere by default', set(), node('a'), [true, true]],
  ['only where the labels say so', set({ nodeSelector: { role: 'edge' } }), node('a'), [false, false]],
  ['where the labels say so', set({ nodeSelector: { role: 'edge' } }), node('a', [], { role: 'edge' }), [true, true]],
  ['not created on a tainted node, but may stay', set(), node('a', [taint('k', 'NoSchedule')]), [false, true]],
  ['not even staying with NoExecute', set(), node('a', [taint('k', 'NoExecute')]), [false, false]],
  [
    'on cordoned and silent nodes as well',
    set(),
    node('a', [
      taint('node.kubernetes.io/unschedulable', 'NoSchedule'),
      taint('node.kubernetes.io/unreachable', 'NoExecute'),
    ]),
    [true, true],
  ],
  [
    'not where there is no network',
    set(),
    node('a', [taint('node.kubernetes.io/network-unavailable', 'NoSchedule')]),
    [false, true],
  ],
  [
    'unless it brings the network',
    set({ hostNetwork: true }),
    node('a', [taint('node.kubernetes.io/network-unavailable', 'NoSchedule')]),
    [true, true],
  ],
];
for (const [sentence, subject, on, [runs, stays]] of eligible) {
  test(`daemons run ${sentence}`, () => assert.deepEqual(eligibility(subject, on), { runs, stays }));
}

let made = 0;
function pod(
  on: string,
  hash: string,
  more: { ready?: boolean; phase?: string; leaving?: boolean; bound?: boolean } = {},
): Pod {
  const { ready = true, phase = 'Running', leaving = false, bound = true } = more;
  const built = daemonPod(set(), on, hash);
  made += 1;
  return {
    ...built,
    metadata: {
      ...built.metadata,
      name: `agent-${on}-${hash}-${made}`,
      creationTimestamp: new Date(made * 1_000).toISOString(),
      ...(leaving ? { deletionTimestamp: 'now' } : {}),
    },
    spec: { ...built.spec!, ...(bound ? { nodeName: on } : {}) },
    status: { phase, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}
const facts = (nodes: Node[], pods: Pod[], subject = set()): DaemonFacts => ({
  set: subject,
  nodes,
  podsByNode: groupByNode(pods),
  hash: 'new',
  now: instant(0),
});
const nodeNames = (pods: readonly Pod[]) => pods.map(nodeOfDaemonPod);

test('every node without a pod gets one; a pod on its way out still counts', () => {
  const plan = planDaemons(
    facts([node('a'), node('b'), node('c')], [pod('a', 'new'), pod('b', 'new', { leaving: true })]),
  );
  assert.deepEqual(plan, { create: ['c'], delete: [], ended: [] });
});

test('pods go where they do not belong, and where the node never came to be', () => {
  const plan = planDaemons(
    facts([node('a', [taint('k', 'NoExecute')])], [pod('a', 'new'), pod('ghost', 'new', { bound: false })]),
  );
  assert.deepEqual([plan.create, nodeNames(plan.delete)], [[], ['a', 'ghost']]);
});

test('of two pods the available one stays, then the older one', () => {
  const [older, newer] = [pod('a', 'new'), pod('a', 'new')];
  assert.deepEqual(planDaemons(facts([node('a')], [newer, older])).delete, [newer]);
  const broken = pod('b', 'new', { ready: false });
  const sound = pod('b', 'new');
  assert.deepEqual(planDaemons(facts([node('b')], [broken, sound])).delete, [broken]);
});

test('a pod that ended is told apart, because its node may have to wait', () => {
  const ended = pod('a', 'new', { phase: 'Failed' });
  assert.deepEqual(planDaemons(facts([node('a')], [ended])), { create: [], delete: [], ended: [ended] });
});

const three = [node('a'), node('b'), node('c')];
const rolling = (maxUnavailable: number | string, maxSurge: number | string = 0) =>
  set({}, { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable, maxSurge } } });
const rollouts: [sentence: string, set: DaemonSet, pods: Pod[], create: string[], remove: string[]][] = [
  ['one at a time', set(), [pod('a', 'old'), pod('b', 'old'), pod('c', 'old')], [], ['a']],
  ['two at a time', rolling(2), [pod('a', 'old'), pod('b', 'old'), pod('c', 'old')], [], ['a', 'b']],
  [
    'a share of the nodes, rounded up',
    rolling('50%'),
    [pod('a', 'old'), pod('b', 'old'), pod('c', 'old')],
    [],
    ['a', 'b'],
  ],
  [
    'none while a new one is starting',
    set(),
    [pod('a', 'new', { ready: false }), pod('b', 'old'), pod('c', 'old')],
    [],
    [],
  ],
  ['none while a node is between two', set(), [pod('b', 'old'), pod('c', 'old')], [], []],
  [
    'broken old ones without asking',
    set(),
    [pod('a', 'old', { ready: false }), pod('b', 'old'), pod('c', 'new', { ready: false })],
    [],
    ['a'],
  ],
  ['with surge a new one first', rolling(0, 1), [pod('a', 'old'), pod('b', 'old'), pod('c', 'old')], ['a'], []],
  [
    'with surge the old one only when the new one serves',
    rolling(0, 1),
    [pod('a', 'old'), pod('a', 'new'), pod('b', 'old'), pod('b', 'new', { ready: false }), pod('c', 'old')],
    [],
    ['a'],
  ],
];
for (const [sentence, subject, pods, create, remove] of rollouts) {
  test(`a rollout replaces ${sentence}`, () => {
    const plan = planDaemonRollout(facts(three, pods, subject));
    assert.deepEqual([plan.create, nodeNames(plan.delete)], [create, remove]);
  });
}

test('the status counts nodes, not pods', () => {
  const tainted = node('d', [taint('k', 'NoSchedule')]);
  const status = daemonSetStatus(
    facts([...three, tainted], [pod('a', 'new'), pod('b', 'old', { ready: false }), pod('d', 'new')]),
  );
  assert.deepEqual(status, {
    desiredNumberScheduled: 3,
    currentNumberScheduled: 2,
    numberMisscheduled: 1,
    numberReady: 1,
    updatedNumberScheduled: 1,
    numberAvailable: 1,
    numberUnavailable: 2,
    observedGeneration: 0,
  });
});
