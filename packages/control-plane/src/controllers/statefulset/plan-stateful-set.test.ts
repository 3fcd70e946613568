// What a StatefulSet does about its pods, as a table.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { instant } from '@kedge/core/time';
import type { Pod, StatefulSet, StatefulSetSpec } from '@kedge/model/k8s-types';
import { planClaimOwners } from './claim-retention.ts';
import { planStatefulSet, type StatefulAction } from './plan-stateful-set.ts';
import { statefulSetStatus } from './stateful-set-status.ts';
import { claimsOf, ordinalOf, statefulPod } from './stateful-pod.ts';

const now = instant(Date.UTC(2026, 0, 1, 12));
const set = (spec: Partial<StatefulSetSpec> = {}): StatefulSet => ({
  metadata: { name: 'db', namespace: 'default', uid: 'set', generation: 1 },
  spec: {
    replicas: 3,
    serviceName: 'db',
    selector: { matchLabels: { app: 'db' } },
    template: { metadata: { labels: { app: 'db' } }, spec: { containers: [{ name: 'main', image: 'db:1' }] } },
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
    ...spec,
  },
});

/** `0 new up`, `1 old pending`, `2 old leaving`, `2 new failed`: ordinal, revision, state. */
function pod(text: string): Pod {
  const [ordinal, revision, state] = text.split(' ');
  const isUp = state === 'up' || state === 'fresh';
  const since = state === 'fresh' ? '2026-01-01T11:59:55Z' : '2026-01-01T11:00:00Z';
  const phase = { up: 'Running', fresh: 'Running', failed: 'Failed', leaving: 'Running', sick: 'Running' }[state!];
  return {
    metadata: {
      name: `db-${ordinal}`,
      uid: `uid-${ordinal}`,
      labels: { 'controller-revision-hash': revision! },
      ...(state === 'leaving' ? { deletionTimestamp: '2026-01-01T11:59:00Z' } : {}),
    },
    spec: { containers: [], ...(state === 'pending' ? {} : { nodeName: 'edge' }) },
    status: {
      phase: phase ?? 'Pending',
      conditions: [{ type: 'Ready', status: isUp ? 'True' : 'False', lastTransitionTime: since }],
    },
  };
}
const say = (action: StatefulAction): string => {
  if (action.do === 'create') return `create ${action.ordinal} ${action.revision}`;
  return action.do === 'claim' ? `claim ${action.ordinal}` : `delete ${action.pod.metadata.name} (${action.why})`;
};

const parallel = { podManagementPolicy: 'Parallel' };
const table: [what: string, spec: Partial<StatefulSetSpec>, pods: string[], expected: string[]][] = [
  ['the first pod comes first', {}, [], ['create 0 new']],
  ['the second waits for the first', {}, ['0 new sick'], []],
  ['and comes when that is up', {}, ['0 new up'], ['create 1 new']],
  ['a pod that was ready for too short a time is not up', { minReadySeconds: 10 }, ['0 new fresh'], []],
  ['in parallel all come at once', parallel, [], ['create 0 new', 'create 1 new', 'create 2 new']],
  ['ordinals may start elsewhere', { ordinals: { start: 5 } }, ['5 new up'], ['create 6 new']],
  ['a pod that ended is replaced', {}, ['0 new failed', '1 new up', '2 new up'], ['delete db-0 (ended)']],
  ['a missing one before a sick one comes back', {}, ['1 new sick', '2 new up'], ['create 0 new']],
  ['one that is leaving is waited for', {}, ['0 new leaving', '1 new up', '2 new up'], []],
  ['one without a node may lack its claims', {}, ['0 new pending'], ['claim 0']],
  ['the last goes first', { replicas: 1 }, ['0 new up', '1 new up', '2 new up'], ['delete db-2 (surplus)']],
  ['and is waited for', { replicas: 1 }, ['0 new up', '1 new up', '2 new leaving'], []],
  ['nothing goes while one that stays is sick', { replicas: 1 }, ['0 new sick', '1 new up'], []],
  ['a sick surplus pod goes before others', { replicas: 1 }, ['0 new up', '1 new sick'], ['delete db-1 (surplus)']],
  [
    'in parallel all go at once',
    { ...parallel, replicas: 1 },
    ['0 new up', '1 new up', '2 new sick'],
    ['delete db-2 (surplus)', 'delete db-1 (surplus)'],
  ],
  ['an update begins at the end', {}, ['0 old up', '1 old up', '2 old up'], ['delete db-2 (outdated)']],
  ['goes on when the new one is up', {}, ['0 old up', '1 old up', '2 new up'], ['delete db-1 (outdated)']],
  ['and waits until it is', {}, ['0 old up', '1 old up', '2 new sick'], []],
  ['a missing pod after its turn is new', {}, ['0 old up', '1 old up'], ['create 2 new']],
  [
    'a partition keeps pods below it',
    { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
    ['0 old up', '1 old up', '2 new up'],
    [],
  ],
  [
    'also when they are made anew',
    { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } },
    ['0 old up', '2 new up'],
    ['create 1 old'],
  ],
  ['OnDelete replaces nothing', { updateStrategy: { type: 'OnDelete' } }, ['0 old up', '1 old up', '2 old up'], []],
  ['but gives the new one', { updateStrategy: { type: 'OnDelete' } }, ['0 old up', '1 old up'], ['create 2 new']],
  ['in parallel updates are still one by one', parallel, ['0 old up', '1 old up', '2 new sick'], []],
  ['all is well', {}, ['0 new up', '1 new up', '2 new up'], []],
];

describe('a StatefulSet', () => {
  for (const [what, spec, pods, expected] of table) {
    test(what, () => {
      const actions = planStatefulSet({ set: set(spec), pods: pods.map(pod), current: 'old', update: 'new', now });
      assert.deepEqual(actions.map(say), expected);
    });
  }

  test('that is being deleted does nothing', () => {
    const leaving = { ...set(), metadata: { ...set().metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } };
    assert.deepEqual(planStatefulSet({ set: leaving, pods: [], current: 'old', update: 'new', now }), []);
  });
});

test('the update is over when every pod is new and ready', () => {
  const half = ['0 old up', '1 new up', '2 new up'].map(pod);
  const facts = { set: set(), pods: half, current: 'old', update: 'new', now };
  const { currentRevision, currentReplicas, updatedReplicas } = statefulSetStatus(facts);
  assert.deepEqual([currentRevision, currentReplicas, updatedReplicas], ['old', 1, 2]);
  const whole = statefulSetStatus({ ...facts, pods: ['0 new up', '1 new up', '2 new up'].map(pod) });
  assert.deepEqual([whole.currentRevision, whole.currentReplicas, whole.updatedReplicas], ['new', 3, 3]);
});

test('a pod is one of the set by its name', () => {
  const ordinals = ['db-0', 'db-12', 'db-01', 'db', 'db-x', 'mydb-1', 'db-1-1'].map((name) =>
    ordinalOf(set(), { metadata: { name } }),
  );
  assert.deepEqual(ordinals, [0, 12, undefined, undefined, undefined, undefined, undefined]);
});

test('a pod has its name, its host name, its labels and its volumes', () => {
  const withClaims = set({ volumeClaimTemplates: [{ metadata: { name: 'data' }, spec: {} }] });
  const made = statefulPod(withClaims, 1, { name: 'db-abc', template: withClaims.spec!.template });
  assert.deepEqual(
    [made.metadata.name, made.spec?.hostname, made.spec?.subdomain, made.spec?.volumes],
    ['db-1', 'db-1', 'db', [{ name: 'data', persistentVolumeClaim: { claimName: 'data-db-1' } }]],
  );
  assert.deepEqual(made.metadata.labels, {
    app: 'db',
    'statefulset.kubernetes.io/pod-name': 'db-1',
    'apps.kubernetes.io/pod-index': '1',
    'controller-revision-hash': 'db-abc',
  });
  const [claim] = claimsOf(withClaims, 1);
  assert.deepEqual([claim?.metadata.name, claim?.metadata.labels], ['data-db-1', { app: 'db' }]);
});

test('claims go with whom the set says', () => {
  const owners = (whenDeleted: string, whenScaled: string, isSurplus: boolean): string[] => {
    const of = set({ persistentVolumeClaimRetentionPolicy: { whenDeleted, whenScaled } });
    const surplus = isSurplus ? pod('1 new up') : undefined;
    return (planClaimOwners(of, 1, { metadata: { name: 'data-db-1' } }, surplus) ?? []).map(({ kind }) => kind);
  };
  assert.deepEqual(owners('Retain', 'Retain', true), []);
  assert.deepEqual(owners('Delete', 'Retain', true), ['StatefulSet']);
  assert.deepEqual(owners('Delete', 'Delete', false), ['StatefulSet']);
  assert.deepEqual(owners('Delete', 'Delete', true), ['Pod']);
  assert.deepEqual(owners('Retain', 'Delete', false), []);
});
