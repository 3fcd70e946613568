// What happens to the things a deleted object owned.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, type OwnerReference } from '@kedge/model/k8s';
import type { ResourceInfo } from '@kedge/model/k8s-resources';
import { createFakeKubeApi } from '@kedge/testing/kube';
import { deployment, node, template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { configMaps, deployments, leases, nodes, pods, replicaSets } = collections;
const widgets: ResourceInfo = {
  group: 'example.org',
  version: 'v1',
  resource: 'widgets',
  singular: 'widget',
  kind: 'Widget',
  namespaced: true,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  shortNames: [],
  categories: [],
  subresources: {},
};
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster({ api: (clock) => createFakeKubeApi({ clock, resources: [widgets] }) }).start();
});
afterEach(() => cluster.stop());

const ownedBy = (kind: string, name: string, uid: string, apiVersion = 'v1'): OwnerReference => ({
  apiVersion,
  kind,
  name,
  uid,
});
const names = async (of: Parameters<Cluster['list']>[0], namespace?: string) =>
  (await cluster.list(of, namespace))
    .map(({ metadata }) => metadata.name)
    .filter((name) => name !== 'kube-root-ca.crt');
const running = (replicas: number) =>
  deployment('web', replicas, { template: template('web', 'busybox:1', { nodeName: 'edge-1' }) });

test('deleting a Deployment takes its ReplicaSets and pods along', async () => {
  await cluster.apply(deployments, running(3));
  await cluster.rollOut('web');
  await cluster.api.delete(deployments, { namespace: 'default', name: 'web' });
  await cluster.eventually(async () => {
    assert.deepEqual(await names(replicaSets), []);
    assert.ok((await cluster.list(pods)).every(({ metadata }) => metadata.deletionTimestamp));
  });
  await cluster.runPods();
  assert.deepEqual(await names(pods), []);
});

test('a foreground deletion keeps the owner until everything below it is gone', async () => {
  await cluster.apply(deployments, running(2));
  await cluster.rollOut('web');
  await cluster.api.delete(deployments, { namespace: 'default', name: 'web' }, { propagationPolicy: 'Foreground' });
  await cluster.clock.advance(seconds(20));
  assert.deepEqual((await names(deployments)).concat(await names(replicaSets)).length, 2);
  await cluster.runPods();
  await cluster.eventually(async () =>
    assert.deepEqual([await names(deployments), await names(replicaSets), await names(pods)], [[], [], []]),
  );
});

test('an orphaning deletion leaves everything below running and free', async () => {
  await cluster.apply(deployments, running(2));
  await cluster.rollOut('web');
  await cluster.api.delete(deployments, { namespace: 'default', name: 'web' }, { propagationPolicy: 'Orphan' });
  await cluster.eventually(async () => {
    assert.deepEqual(await names(deployments), []);
    assert.deepEqual((await cluster.list(replicaSets))[0]!.metadata.ownerReferences ?? [], []);
  });
  assert.equal((await cluster.list(pods)).length, 2);
});

test('an object whose owner never was goes, one with a living second owner stays', async () => {
  const alive = await cluster.apply(configMaps, { metadata: { name: 'alive' } });
  await cluster.apply(configMaps, {
    metadata: { name: 'lost', ownerReferences: [ownedBy('ConfigMap', 'ghost', 'uid-ghost')] },
  });
  await cluster.apply(configMaps, {
    metadata: {
      name: 'shared',
      ownerReferences: [ownedBy('ConfigMap', 'ghost', 'uid-ghost'), ownedBy('ConfigMap', 'alive', alive.metadata.uid!)],
    },
  });
  await cluster.eventually(async () => assert.deepEqual(await names(configMaps, 'default'), ['alive', 'shared']));
  await cluster.eventually(async () => {
    const { ownerReferences } = (await cluster.get(configMaps, 'shared')).metadata;
    assert.deepEqual(
      ownerReferences?.map(({ name }) => name),
      ['alive'],
    );
  });
});

test('a new object under the old name is not the owner', async () => {
  const first = await cluster.apply(configMaps, { metadata: { name: 'owner' } });
  await cluster.api.delete(configMaps, { namespace: 'default', name: 'owner' });
  await cluster.apply(configMaps, { metadata: { name: 'owner' } });
  await cluster.apply(configMaps, {
    metadata: { name: 'child', ownerReferences: [ownedBy('ConfigMap', 'owner', first.metadata.uid!)] },
  });
  await cluster.eventually(async () => assert.deepEqual(await names(configMaps, 'default'), ['owner']));
});

test('a cluster-scoped owner has dependents in namespaces; an owner in another namespace is none', async () => {
  const edge = await cluster.apply(nodes, node('edge-1'), '');
  const elsewhere = await cluster.apply(configMaps, { metadata: { name: 'elsewhere' } }, 'kube-system');
  await cluster.apply(leases, {
    metadata: { name: 'edge-1', ownerReferences: [ownedBy('Node', 'edge-1', edge.metadata.uid!)] },
  });
  await cluster.apply(configMaps, {
    metadata: { name: 'astray', ownerReferences: [ownedBy('ConfigMap', 'elsewhere', elsewhere.metadata.uid!)] },
  });
  await cluster.eventually(async () => assert.deepEqual(await names(configMaps, 'default'), []));
  assert.deepEqual(await names(leases, 'default'), ['edge-1']);
  await cluster.api.delete(nodes, { name: 'edge-1' });
  await cluster.eventually(async () => assert.deepEqual(await names(leases, 'default'), []));
});

test('custom resources own and are owned like everything else', async () => {
  const owner = await cluster.api.create(widgets, 'default', { metadata: { name: 'w' } });
  await cluster.apply(configMaps, {
    metadata: { name: 'child', ownerReferences: [ownedBy('Widget', 'w', owner.metadata.uid!, 'example.org/v1')] },
  });
  await cluster.clock.advance(seconds(10));
  assert.deepEqual(await names(configMaps, 'default'), ['child']);
  await cluster.api.delete(widgets, { namespace: 'default', name: 'w' });
  await cluster.eventually(async () => assert.deepEqual(await names(configMaps, 'default'), []));
});

test('an owner of a kind that is not served is never taken for gone', async () => {
  await cluster.apply(configMaps, {
    metadata: { name: 'child', ownerReferences: [ownedBy('Gizmo', 'g', 'uid-g', 'example.com/v1')] },
  });
  await cluster.clock.advance(seconds(120));
  assert.ok(await cluster.get(configMaps, 'child').catch((error) => !isStatus(error, 'NotFound')));
});
