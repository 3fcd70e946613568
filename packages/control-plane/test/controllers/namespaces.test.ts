// Namespaces: what every one has, and how one is emptied.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { collections } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import { Cluster } from './cluster.ts';
import { template } from './builders.ts';

const { configMaps, namespaces, pods, serviceAccounts } = collections;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster().start();
});
afterEach(() => cluster.stop());

const names = (objects: { metadata: { name?: string } }[]) => objects.map(({ metadata }) => metadata.name);

test('a new namespace gets a default ServiceAccount and the root CA', async () => {
  await cluster.apply(namespaces, { metadata: { name: 'shop' } }, '');
  await cluster.settle();
  assert.deepEqual(names(await cluster.list(serviceAccounts, 'shop')), ['default']);
  assert.deepEqual((await cluster.get(configMaps, 'kube-root-ca.crt', 'shop')).data, { 'ca.crt': 'CA' });
});

test('both come back when someone deletes or changes them', async () => {
  await cluster.settle();
  await cluster.api.delete(serviceAccounts, { namespace: 'default', name: 'default' });
  await cluster.patch(configMaps, 'kube-root-ca.crt', { data: { 'ca.crt': 'forged', more: 'x' } });
  await cluster.settle();
  assert.deepEqual(names(await cluster.list(serviceAccounts, 'default')), ['default']);
  assert.deepEqual((await cluster.get(configMaps, 'kube-root-ca.crt')).data, { 'ca.crt': 'CA' });
});

test('a deleted namespace is emptied and goes', async () => {
  await cluster.apply(namespaces, { metadata: { name: 'shop' } }, '');
  for (const name of ['a', 'b', 'c']) await cluster.apply(configMaps, { metadata: { name } }, 'shop');
  await cluster.settle();
  await cluster.api.delete(namespaces, { name: 'shop' });
  await cluster.eventually(async () => {
    await assert.rejects(cluster.get(namespaces, 'shop', ''), (error) => isStatus(error, 'NotFound'));
  });
  assert.deepEqual(await cluster.list(configMaps, 'shop'), []);
});

test('a namespace waits for its pods to stop and says what it waits for', async () => {
  await cluster.apply(namespaces, { metadata: { name: 'shop' } }, '');
  await cluster.apply(
    pods,
    { metadata: { name: 'web' }, spec: { ...template('web').spec!, nodeName: 'edge-1' } },
    'shop',
  );
  await cluster.apply(configMaps, { metadata: { name: 'held', finalizers: ['example.org/hold'] } }, 'shop');
  await cluster.settle();
  await cluster.api.delete(namespaces, { name: 'shop' });
  await cluster.settle();
  const { status } = await cluster.get(namespaces, 'shop', '');
  assert.equal(status?.phase, 'Terminating');
  const said = Object.fromEntries(
    status!.conditions!.map(({ type, status, message }) => [type, `${status}: ${message}`]),
  );
  assert.equal(
    said['NamespaceContentRemaining'],
    'True: Some resources are remaining: configmaps. has 1 resource instances, pods. has 1 resource instances',
  );
  assert.equal(
    said['NamespaceFinalizersRemaining'],
    'True: Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances',
  );

  await cluster.patch(configMaps, 'held', { metadata: { finalizers: null } }, 'shop');
  await cluster.runPods();
  await cluster.settle();
  await assert.rejects(cluster.get(namespaces, 'shop', ''), (error) => isStatus(error, 'NotFound'));
});
