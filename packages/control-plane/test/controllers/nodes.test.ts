// Nodes that fall silent, come back, or go for good, and what becomes of their pods.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { hours, minus, minutes, plus, seconds, toMicroTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import type { Pod, Toleration } from '@kedge/model/k8s-types';
import { node, replicaSet, template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { leases, nodes, pods, replicaSets } = collections;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster().start();
});
afterEach(() => cluster.stop());

const fiveMinutes: Toleration[] = ['not-ready', 'unreachable'].map((key) => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 300,
}));
const bound = (name: string, tolerations = fiveMinutes): Pod => ({
  metadata: { name },
  spec: { ...template(name).spec!, nodeName: 'edge-1', tolerations },
});
async function addNode(name: string): Promise<void> {
  await cluster.apply(nodes, node(name), '');
  await cluster.apply(leases, { metadata: { name }, spec: { renewTime: '' } }, 'kube-node-lease');
}
/** Time passes while these nodes renew their leases. */
async function pass(howLong: number, ...alive: string[]): Promise<void> {
  for (let at = 0; at < howLong; at += 10) {
    for (const name of alive) {
      await cluster.patch(leases, name, { spec: { renewTime: toMicroTime(cluster.clock.now()) } }, 'kube-node-lease');
    }
    await cluster.clock.advance(seconds(10));
  }
}
const readyOf = async (name: string) =>
  (await cluster.get(nodes, name, '')).status!.conditions!.find(({ type }) => type === 'Ready')!.status;
const taintsOf = async (name: string) =>
  ((await cluster.get(nodes, name, '')).spec?.taints ?? []).map(
    ({ key, effect }) => `${key.replace('node.kubernetes.io/', '')}:${effect}`,
  );
const isGone = async (name: string) => {
  await assert.rejects(cluster.get(pods, name), (error) => isStatus(error, 'NotFound'));
};

test('a node that stops renewing its lease becomes unknown and unreachable, and recovers', async () => {
  await addNode('edge-1');
  await addNode('edge-2');
  const web = await cluster.apply(pods, bound('web'));
  await cluster.setReady(web, true);
  await pass(60, 'edge-1', 'edge-2');
  assert.equal(await readyOf('edge-1'), 'True');
  await pass(60, 'edge-2');
  assert.equal(await readyOf('edge-1'), 'Unknown');
  assert.deepEqual(await taintsOf('edge-1'), ['unreachable:NoSchedule', 'unreachable:NoExecute']);
  assert.deepEqual([await readyOf('edge-2'), await taintsOf('edge-2')], ['True', []]);
  const { status } = await cluster.get(pods, 'web');
  assert.equal(status!.conditions!.find(({ type }) => type === 'Ready')!.status, 'False');

  const back = { status: { conditions: [{ type: 'Ready', status: 'True', lastHeartbeatTime: 'later' }] } };
  await cluster.api.patch(nodes, { name: 'edge-1', subresource: 'status' }, 'strategic', JSON.stringify(back));
  await pass(20, 'edge-1', 'edge-2');
  assert.deepEqual(await taintsOf('edge-1'), []);
  assert.equal((await cluster.get(pods, 'web')).metadata.deletionTimestamp, undefined);
});

test('a clock that is set by a day, ahead or back, makes no node silent and hides none that is', async () => {
  await addNode('edge-1');
  await addNode('edge-2');
  await pass(60, 'edge-1', 'edge-2');
  for (const jump of [plus, minus]) {
    cluster.clock.jumpTo(jump(cluster.clock.now(), hours(24)));
    await pass(30, 'edge-1', 'edge-2');
    assert.deepEqual([await readyOf('edge-1'), await readyOf('edge-2')], ['True', 'True']);
  }
  await pass(60, 'edge-2');
  assert.deepEqual([await readyOf('edge-1'), await readyOf('edge-2')], ['Unknown', 'True']);
});

test('pods leave an unreachable node after the time they tolerate it, and not at all if they always do', async () => {
  await addNode('edge-1');
  await addNode('edge-2');
  await cluster.apply(pods, bound('web'));
  await cluster.apply(pods, bound('daemon', [{ operator: 'Exists' }]));
  await pass(120, 'edge-2');
  assert.equal((await cluster.get(pods, 'web')).metadata.deletionTimestamp, undefined);
  await pass(300, 'edge-2');
  assert.ok((await cluster.get(pods, 'web')).metadata.deletionTimestamp);
  assert.equal((await cluster.get(pods, 'daemon')).metadata.deletionTimestamp, undefined);
});

test('when every node falls silent at once nothing is evicted: it is rather we who cannot hear', async () => {
  await addNode('edge-1');
  await addNode('edge-2');
  await cluster.apply(pods, bound('web'));
  await pass(900);
  assert.equal(await readyOf('edge-1'), 'Unknown');
  assert.deepEqual(await taintsOf('edge-1'), ['unreachable:NoSchedule']);
  assert.equal((await cluster.get(pods, 'web')).metadata.deletionTimestamp, undefined);
});

test('pods of a deleted node are removed and replaced', async () => {
  await addNode('edge-1');
  const set = replicaSet('web', 1);
  await cluster.apply(replicaSets, {
    ...set,
    spec: { ...set.spec!, template: template('web', 'busybox:1', { nodeName: 'edge-1' }) },
  });
  await cluster.settle();
  const [first] = await cluster.list(pods);
  await cluster.api.delete(nodes, { name: 'edge-1' });
  await cluster.eventually(async () => isGone(first!.metadata.name!), minutes(2));
  assert.equal((await cluster.list(pods)).length, 1);
});

test('a pod that was Terminating when its node was deleted and added again does not stay so for ever', async () => {
  await addNode('edge-1');
  await cluster.apply(pods, bound('web'));
  await cluster.api.delete(pods, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 5 });
  await cluster.clock.advance(seconds(20));
  await cluster.api.delete(nodes, { name: 'edge-1' });
  await cluster.apply(nodes, node('edge-1'), '');
  await cluster.clock.advance(seconds(30));
  assert.ok((await cluster.get(pods, 'web')).metadata.deletionTimestamp);
  await cluster.eventually(() => isGone('web'), minutes(3));
});

test('a pod that is Terminating on a node that is merely slow is left to it', async () => {
  await addNode('edge-1');
  await addNode('edge-2');
  await cluster.apply(pods, bound('web'));
  await cluster.api.delete(pods, { namespace: 'default', name: 'web' });
  await pass(600, 'edge-2');
  assert.ok((await cluster.get(pods, 'web')).metadata.deletionTimestamp);
});
