// Disruption budgets over a whole cluster: whose pods they count, and evictions that come to nothing.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { minutes, seconds, toTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import type { Pod, PodDisruptionBudget } from '@kedge/model/k8s-types';
import { deployment, node, template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { deployments, nodes, podDisruptionBudgets, pods } = collections;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster().start();
});
afterEach(() => cluster.stop());

const budget = (app: string, spec: PodDisruptionBudget['spec']): PodDisruptionBudget => ({
  metadata: { name: app },
  spec: { selector: { matchLabels: { app } }, ...spec },
});
const statusOf = async (name: string) => {
  const { status } = await cluster.get(podDisruptionBudgets, name);
  const [condition] = status?.conditions ?? [];
  return [status?.expectedPods, status?.disruptionsAllowed, condition?.reason, condition?.message];
};

test('a budget counts what the controller of its pods wants', async () => {
  await cluster.apply(deployments, deployment('web', 3));
  await cluster.rollOut('web');
  await cluster.apply(podDisruptionBudgets, budget('web', { maxUnavailable: 1 }));
  await cluster.settle();
  assert.deepEqual(await statusOf('web'), [3, 1, 'SufficientPods', '']);
  await cluster.patch(deployments, 'web', { spec: { replicas: 5 } });
  await cluster.settle();
  assert.deepEqual((await statusOf('web')).slice(0, 2), [5, 0]);
});

test('pods that nobody manages are pointed out, where their number matters', async () => {
  await cluster.apply(pods, { ...template('lone'), metadata: { ...template('lone').metadata, name: 'lone' } } as Pod);
  await cluster.apply(podDisruptionBudgets, budget('lone', { minAvailable: '50%' }));
  await cluster.settle();
  assert.ok((await cluster.eventsAbout('lone')).some((one) => one.startsWith('UnmanagedPods: Pods selected by')));
  assert.deepEqual((await statusOf('lone')).slice(0, 2), [0, 0]);
});

test('an eviction that came to nothing is taken back', async () => {
  await cluster.apply(nodes, node('edge'), '');
  const made = { ...template('web', 'web:1', { nodeName: 'edge' }), metadata: { name: 'web' } } as Pod;
  const pod = await cluster.apply(pods, made);
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: toTime(cluster.clock.now()),
  };
  const target = { namespace: 'default', name: pod.metadata.name!, subresource: 'status' };
  await cluster.api.patch(pods, target, 'merge', JSON.stringify({ status: { conditions: [condition] } }));
  const disrupted = async () =>
    (await cluster.get(pods, 'web')).status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.status;
  await cluster.clock.advance(seconds(100));
  assert.equal(await disrupted(), 'True');
  await cluster.clock.advance(minutes(1));
  assert.equal(await disrupted(), 'False');
});
