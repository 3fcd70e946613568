// Conditions, taints and evictions as tables.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { instant, seconds } from '@kedge/core/time';
import type { Node, NodeCondition, Pod, Taint, Toleration } from '@kedge/model/k8s-types';
import { evictionDue } from './eviction.ts';
import { patienceLeft, takePulse, unknownConditions } from './node-health.ts';
import { planTaints } from './node-taints.ts';

const now = instant(Date.UTC(2026, 0, 1, 12));
const node = (conditions: NodeCondition[], taints: Taint[] = [], unschedulable = false): Node => ({
  metadata: { name: 'edge-1' },
  spec: { taints, unschedulable },
  status: { conditions },
});
const ready = (status: string, lastHeartbeatTime = 't0'): NodeCondition => ({
  type: 'Ready',
  status,
  lastHeartbeatTime,
});
const short = (taints: Taint[] | undefined) => taints?.map(({ key, effect }) => `${key}:${effect}`);
const own = (key: string, effect: string): Taint => ({ key: `node.kubernetes.io/${key}`, effect });

const taintCases: [sentence: string, node: Node, evicts: boolean, expected: string[] | undefined][] = [
  ['a healthy node needs none', node([ready('True')]), true, undefined],
  [
    'a silent node is unreachable, for new pods and for those on it',
    node([ready('Unknown')]),
    true,
    ['node.kubernetes.io/unreachable:NoSchedule', 'node.kubernetes.io/unreachable:NoExecute'],
  ],
  [
    'while no node is ready nothing is moved',
    node([ready('False')]),
    false,
    ['node.kubernetes.io/not-ready:NoSchedule'],
  ],
  [
    'a node that is back loses our taints and keeps others',
    node(
      [ready('True')],
      [own('unreachable', 'NoExecute'), own('unreachable', 'NoSchedule'), { key: 'mine', effect: 'NoSchedule' }],
    ),
    true,
    ['mine:NoSchedule'],
  ],
  [
    'what is there already is not written again',
    node([ready('False')], [own('not-ready', 'NoSchedule'), own('not-ready', 'NoExecute')]),
    true,
    undefined,
  ],
  [
    'pressure and cordons keep new pods away',
    node([ready('True'), { type: 'DiskPressure', status: 'True' }], [], true),
    true,
    ['node.kubernetes.io/disk-pressure:NoSchedule', 'node.kubernetes.io/unschedulable:NoSchedule'],
  ],
];
for (const [sentence, subject, evicts, expected] of taintCases) {
  test(sentence, () => assert.deepEqual(short(planTaints(subject, now, evicts ? 'all' : 'none')), expected));
}

test('a heartbeat or a renewed lease is a sign of life, our own writing is not', () => {
  const lease = (renewTime: string) => ({ metadata: {}, spec: { renewTime } });
  const first = takePulse(undefined, node([ready('True', 'a')]), lease('r'), seconds(0));
  assert.equal(patienceLeft(first, seconds(50)), seconds(10));
  const renewed = takePulse(first, node([ready('True', 'a')]), lease('s'), seconds(50));
  assert.equal(patienceLeft(renewed, seconds(50)), seconds(50));
  const unchanged = takePulse(renewed, node([ready('Unknown', 'a')]), lease('s'), seconds(101));
  assert.equal(patienceLeft(unchanged, seconds(101)), seconds(-1));
});

test('a silent node has unknown conditions that say whether it ever spoke', () => {
  const conditions = unknownConditions(node([ready('True')]), now)!;
  assert.deepEqual(
    conditions.map(({ type, status, reason }) => [type, status, reason]),
    [
      ['Ready', 'Unknown', 'NodeStatusUnknown'],
      ['MemoryPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['DiskPressure', 'Unknown', 'NodeStatusNeverUpdated'],
      ['PIDPressure', 'Unknown', 'NodeStatusNeverUpdated'],
    ],
  );
  assert.equal(conditions[0]!.lastHeartbeatTime, 't0');
  assert.equal(unknownConditions(node(conditions), now), undefined);
});

const pod = (tolerations: Toleration[] = []): Pod => ({ metadata: {}, spec: { containers: [], tolerations } });
const since = (key: string, minutesAgo: number): Taint => ({
  key,
  effect: 'NoExecute',
  timeAdded: new Date(now - minutesAgo * 60_000).toISOString(),
});
const tolerate = (key: string, tolerationSeconds?: number): Toleration => ({
  key,
  operator: 'Exists',
  ...(tolerationSeconds === undefined ? {} : { tolerationSeconds }),
});
const evictionCases: [sentence: string, pod: Pod, taints: Taint[], secondsFromNow: number | undefined][] = [
  ['without NoExecute taints a pod stays', pod(), [{ key: 'a', effect: 'NoSchedule' }], undefined],
  ['an intolerable taint means now', pod(), [since('a', 0)], 0],
  ['a pod that tolerates for ever stays', pod([tolerate('a')]), [since('a', 60)], undefined],
  ['five minutes count from when the taint was added', pod([tolerate('a', 300)]), [since('a', 2)], 180],
  ['and may be over', pod([tolerate('a', 300)]), [since('a', 6)], -60],
  ['the earliest of several counts', pod([tolerate('a', 600), tolerate('b', 60)]), [since('a', 0), since('b', 0)], 60],
];
for (const [sentence, subject, taints, expected] of evictionCases) {
  test(sentence, () => {
    const due = evictionDue(subject, node([], taints), now);
    assert.equal(due === undefined ? undefined : (due - now) / 1_000, expected);
  });
}
