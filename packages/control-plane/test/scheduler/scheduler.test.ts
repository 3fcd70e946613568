// The scheduler over an API in memory: pods get nodes, or users learn why not.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { seconds } from '@kedge/core/time';
import { createScheduler } from '@kedge/control-plane/scheduler';
import { collections } from '@kedge/engine/kube-client';
import { fail } from '@kedge/model/k8s';
import type { Pod, PodSpec } from '@kedge/model/k8s-types';
import { createFakeKubeApi, type FakeKubeApi } from '@kedge/testing/kube';
import { deployment, node, template } from '../controllers/builders.ts';
import { Cluster } from '../controllers/cluster.ts';

const { deployments, nodes, pods } = collections;
let fake: FakeKubeApi;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster({
    api: (clock) => (fake = createFakeKubeApi({ clock })),
    more: ({ api, informers, clock, events }) => [
      createScheduler({ api, informers, events, clock, log: silentLog, random: { next: () => 0, uuid: () => '' } }),
    ],
  }).start();
});
afterEach(() => cluster.stop());

const pod = (name: string, spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { name },
  spec: { ...template(name).spec!, ...spec },
});
const cpu = (request: string): Partial<PodSpec> => ({
  containers: [{ name: 'main', image: 'busybox:1', resources: { requests: { cpu: request } } }],
});
const nodeOf = async (name: string) => (await cluster.get(pods, name)).spec!.nodeName;
const scheduled = async (name: string) => {
  const { status } = await cluster.get(pods, name);
  const found = status?.conditions?.find(({ type }) => type === 'PodScheduled');
  return found && [found.status, found.reason, found.message];
};

test('a pod is bound to a node and says so', async () => {
  await cluster.apply(nodes, node('edge-1'), '');
  await cluster.apply(pods, pod('web'));
  await cluster.settle();
  assert.equal(await nodeOf('web'), 'edge-1');
  assert.deepEqual(await cluster.eventsAbout('web'), ['Scheduled: Successfully assigned default/web to edge-1']);
});

test('a pod that fits nowhere says why, and gets its node once there is one', async () => {
  await cluster.apply(
    nodes,
    node('small', { status: { allocatable: { cpu: '500m', memory: '1Gi', pods: '110' } } }),
    '',
  );
  await cluster.apply(pods, pod('web', cpu('1')));
  await cluster.settle();
  const message =
    '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.';
  assert.deepEqual(await scheduled('web'), ['False', 'Unschedulable', message]);
  assert.deepEqual(await cluster.eventsAbout('web'), [`FailedScheduling: ${message}`]);
  await cluster.apply(nodes, node('edge-1'), '');
  await cluster.eventually(async () => assert.equal(await nodeOf('web'), 'edge-1'));
  assert.equal((await scheduled('web'))![0], 'True');
});

test('a pod that ends makes room for the next one', async () => {
  await cluster.apply(nodes, node('edge-1'), '');
  await cluster.apply(pods, pod('first', cpu('3')));
  await cluster.settle();
  await cluster.apply(pods, pod('second', cpu('3')));
  await cluster.settle();
  assert.equal(await nodeOf('second'), undefined);
  await cluster.api.patch(
    pods,
    { namespace: 'default', name: 'first', subresource: 'status' },
    'merge',
    '{"status":{"phase":"Succeeded"}}',
  );
  await cluster.eventually(async () => assert.equal(await nodeOf('second'), 'edge-1'));
});

test('many pods at once never overbook a node', async () => {
  for (const name of ['a', 'b', 'c']) await cluster.apply(nodes, node(name), '');
  await cluster.apply(
    deployments,
    deployment('web', 15, { template: { ...template('web'), spec: { ...template('web').spec!, ...cpu('1') } } }),
  );
  await cluster.settle();
  const placed = (await cluster.list(pods)).map(({ spec }) => spec!.nodeName);
  const perNode = Object.fromEntries(
    ['a', 'b', 'c'].map((name) => [name, placed.filter((one) => one === name).length]),
  );
  assert.deepEqual(perNode, { a: 4, b: 4, c: 4 });
  assert.equal(placed.filter((one) => one === undefined).length, 3);
});

test('a pod of another scheduler and a gated pod are left alone', async () => {
  await cluster.apply(nodes, node('edge-1'), '');
  await cluster.apply(pods, pod('theirs', { schedulerName: 'volcano' }));
  await cluster.apply(pods, pod('gated', { schedulingGates: [{ name: 'wait' }] }));
  await cluster.clock.advance(seconds(30));
  assert.deepEqual([await nodeOf('theirs'), await nodeOf('gated')], [undefined, undefined]);
  await cluster.patch(pods, 'gated', { spec: { schedulingGates: null } });
  await cluster.settle();
  assert.equal(await nodeOf('gated'), 'edge-1');
});

test('a binding that fails is tried again and holds no room meanwhile', async () => {
  await cluster.apply(pods, pod('web', cpu('3')));
  await cluster.settle();
  fake.failNext('create', 'pods', fail('InternalError', 'disk full'));
  await cluster.apply(nodes, node('edge-1'), '');
  await cluster.clock.advance(seconds(1));
  assert.equal(await nodeOf('web'), undefined);
  await cluster.eventually(async () => assert.equal(await nodeOf('web'), 'edge-1'));
  assert.ok((await cluster.eventsAbout('web')).includes('FailedScheduling: binding rejected: disk full'));
});

test('higher priority is scheduled first when both wait', async () => {
  await cluster.apply(pods, pod('low', { ...cpu('3'), priority: 1 }));
  await cluster.apply(pods, pod('high', { ...cpu('3'), priority: 100 }));
  await cluster.clock.advance(seconds(30));
  await cluster.apply(nodes, node('edge-1'), '');
  await cluster.eventually(async () => assert.equal(await nodeOf('high'), 'edge-1'));
  assert.equal(await nodeOf('low'), undefined);
});

test('a pod of higher priority makes the least important ones leave, and only as many as it needs', async () => {
  await cluster.apply(nodes, node('edge-1'), '');
  for (const [name, priority] of [
    ['a', 1],
    ['b', 5],
    ['c', 3],
  ] as const) {
    await cluster.apply(pods, pod(name, { ...cpu('1'), priority }));
  }
  await cluster.settle();
  await cluster.apply(pods, pod('urgent', { ...cpu('3'), priority: 100 }));
  await cluster.settle();
  const leaving = (await cluster.list(pods))
    .filter(({ metadata }) => metadata.deletionTimestamp)
    .map(({ metadata }) => metadata.name);
  assert.deepEqual(leaving, ['a', 'c']);
  await cluster.runPods();
  await cluster.eventually(async () => assert.equal(await nodeOf('urgent'), 'edge-1'));
  assert.equal((await cluster.get(pods, 'b')).metadata.deletionTimestamp, undefined);
});

test('a pod that must not preempt waits, and so does one that preemption would not help', async () => {
  await cluster.apply(nodes, node('edge-1'), '');
  await cluster.apply(pods, pod('a', { ...cpu('3'), priority: 1 }));
  await cluster.settle();
  await cluster.apply(pods, pod('patient', { ...cpu('3'), priority: 100, preemptionPolicy: 'Never' }));
  await cluster.apply(pods, pod('huge', { ...cpu('9'), priority: 100 }));
  await cluster.apply(pods, pod('equal', { ...cpu('3'), priority: 1 }));
  await cluster.clock.advance(seconds(30));
  assert.equal((await cluster.get(pods, 'a')).metadata.deletionTimestamp, undefined);
});

test('what a pod made room for is kept for it, and not taken by a lesser one', async () => {
  await cluster.apply(nodes, node('edge-1'), '');
  await cluster.apply(pods, pod('old', { ...cpu('3'), priority: 1 }));
  await cluster.settle();
  await cluster.apply(pods, pod('big', { ...cpu('3'), priority: 100 }));
  await cluster.settle();
  assert.equal((await cluster.get(pods, 'big')).status?.nominatedNodeName, 'edge-1');
  assert.ok((await cluster.get(pods, 'old')).metadata.deletionTimestamp);
  await cluster.apply(pods, pod('quick', { ...cpu('1500m'), priority: 2 }));
  await cluster.api.delete(pods, { namespace: 'default', name: 'old' }, { gracePeriodSeconds: 0 });
  await cluster.eventually(async () => assert.equal(await nodeOf('big'), 'edge-1'));
  assert.equal(await nodeOf('quick'), undefined);
});

test('a pod with claims waits for them, and follows its volumes', async () => {
  const { persistentVolumeClaims, persistentVolumes, storageClasses } = collections;
  for (const name of ['edge-1', 'edge-2']) await cluster.apply(nodes, node(name), '');
  await cluster.apply(
    storageClasses,
    {
      metadata: { name: 'local' },
      provisioner: 'kubernetes.io/no-provisioner',
      volumeBindingMode: 'WaitForFirstConsumer',
    },
    '',
  );
  const using = (name: string, claimName: string): Pod =>
    pod(name, { volumes: [{ name: 'd', persistentVolumeClaim: { claimName } }] });
  const claim = (name: string, storageClassName?: string) =>
    cluster.apply(persistentVolumeClaims, {
      metadata: { name },
      spec: {
        accessModes: ['ReadWriteOnce'],
        resources: { requests: { storage: '1Gi' } },
        ...(storageClassName ? { storageClassName } : {}),
      },
    });
  const helpless = 'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.';
  await cluster.apply(pods, using('early', 'later'));
  await claim('now');
  await cluster.apply(pods, using('hasty', 'now'));
  await claim('data', 'local');
  await cluster.apply(pods, using('web', 'data'));
  await cluster.settle();
  const said = async (name: string) => (await scheduled(name))![2];
  assert.equal(await said('early'), `0/2 nodes are available: persistentvolumeclaim "later" not found. ${helpless}`);
  assert.equal(
    await said('hasty'),
    `0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims. ${helpless}`,
  );
  assert.equal(
    await said('web'),
    `0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind. ${helpless}`,
  );
  const onNode = (name: string) => ({
    required: {
      nodeSelectorTerms: [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [name] }] }],
    },
  });
  await cluster.apply(
    persistentVolumes,
    {
      metadata: { name: 'disk' },
      spec: {
        capacity: { storage: '2Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'local',
        local: { path: '/d' },
        nodeAffinity: onNode('edge-2'),
      },
    },
    '',
  );
  await cluster.eventually(async () => assert.equal(await nodeOf('web'), 'edge-2'));
  assert.equal((await cluster.get(persistentVolumeClaims, 'data')).spec?.volumeName, 'disk');
});
