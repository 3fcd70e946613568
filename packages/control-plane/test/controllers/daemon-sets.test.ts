// DaemonSets over a whole cluster.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { createScheduler } from '@kedge/control-plane/scheduler';
import { silentLog } from '@kedge/core/log';
import { minutes, seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import type { DaemonSet } from '@kedge/model/k8s-types';
import { node, template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { controllerRevisions, daemonSets, nodes, pods } = collections;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster({
    more: ({ api, informers, clock, events }) => [
      createScheduler({ api, informers, events, clock, log: silentLog, random: { next: () => 0, uuid: () => '' } }),
    ],
  }).start();
  for (const name of ['edge-1', 'edge-2']) await cluster.apply(nodes, node(name), '');
});
afterEach(() => cluster.stop());

const agent = (image = 'agent:1'): DaemonSet => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name: 'agent' },
  spec: { selector: { matchLabels: { app: 'agent' } }, template: template('agent', image) },
});
const placed = async () =>
  (await cluster.list(pods))
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .map(({ spec }) => `${spec!.nodeName} ${spec!.containers[0]!.image}`)
    .toSorted();

test('every node gets its pod, also one that comes later', async () => {
  await cluster.apply(daemonSets, agent());
  await cluster.settle();
  await cluster.runPods();
  assert.deepEqual(await placed(), ['edge-1 agent:1', 'edge-2 agent:1']);
  await cluster.apply(nodes, node('edge-3'), '');
  await cluster.settle();
  await cluster.runPods();
  assert.deepEqual(await placed(), ['edge-1 agent:1', 'edge-2 agent:1', 'edge-3 agent:1']);
  const { status } = await cluster.get(daemonSets, 'agent');
  assert.deepEqual(status, {
    desiredNumberScheduled: 3,
    currentNumberScheduled: 3,
    numberMisscheduled: 0,
    numberReady: 3,
    updatedNumberScheduled: 3,
    numberAvailable: 3,
    observedGeneration: 1,
  });
});

test('a new template replaces the pods node by node and leaves a history', async () => {
  await cluster.apply(daemonSets, agent());
  await cluster.settle();
  await cluster.runPods();
  await cluster.patch(daemonSets, 'agent', { spec: { template: template('agent', 'agent:2') } });
  await cluster.settle();
  assert.equal((await placed()).filter((one) => one.endsWith('agent:1')).length, 1);
  await cluster.eventually(async () => {
    await cluster.heartbeat();
    await cluster.runPods();
    assert.deepEqual(await placed(), ['edge-1 agent:2', 'edge-2 agent:2']);
  });
  const history = (await cluster.list(controllerRevisions)).map(({ revision }) => revision).toSorted();
  assert.deepEqual(history, [1, 2]);
});

test('with OnDelete nothing is replaced before someone deletes it', async () => {
  await cluster.apply(daemonSets, { ...agent(), spec: { ...agent().spec!, updateStrategy: { type: 'OnDelete' } } });
  await cluster.settle();
  await cluster.runPods();
  await cluster.patch(daemonSets, 'agent', { spec: { template: template('agent', 'agent:2') } });
  await cluster.clock.advance(seconds(30));
  assert.deepEqual(await placed(), ['edge-1 agent:1', 'edge-2 agent:1']);
  const [first] = await cluster.list(pods);
  await cluster.api.delete(pods, { namespace: 'default', name: first!.metadata.name! }, { gracePeriodSeconds: 0 });
  await cluster.eventually(async () =>
    assert.equal((await placed()).filter((one) => one.endsWith('agent:2')).length, 1),
  );
});

test('a pod that keeps failing is replaced, more slowly each time', async () => {
  await cluster.api.delete(nodes, { name: 'edge-2' });
  await cluster.apply(daemonSets, agent());
  await cluster.settle();
  let failures = 0;
  for (const end = cluster.clock.monotonic() + minutes(2); cluster.clock.monotonic() < end;) {
    await cluster.heartbeat();
    for (const { metadata, status } of await cluster.list(pods)) {
      const target = { namespace: 'default', name: metadata.name! };
      if (metadata.deletionTimestamp) await cluster.api.delete(pods, target, { gracePeriodSeconds: 0 });
      else if (status?.phase !== 'Failed') {
        failures += 1;
        await cluster.api.patch(pods, { ...target, subresource: 'status' }, 'merge', '{"status":{"phase":"Failed"}}');
      }
    }
    await cluster.settle();
  }
  assert.ok(failures >= 5 && failures <= 8, `${failures} failures in two minutes`);
});
