// Services over a whole cluster: their endpoints follow the pods.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { collections } from '@kedge/engine/kube-client';
import type { Pod } from '@kedge/model/k8s-types';
import { template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { endpoints, endpointSlices, pods, services } = collections;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster().start();
  await cluster.apply(services, {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { clusterIP: '10.96.0.9', selector: { app: 'web' }, ports: [{ port: 80, protocol: 'TCP' }] },
  });
});
afterEach(() => cluster.stop());

const pod = (name: string): Pod => ({
  metadata: { name, labels: { app: 'web' } },
  spec: { ...template('web').spec!, nodeName: 'edge-1' },
});
async function run(name: string, ip: string): Promise<void> {
  const created = await cluster.apply(pods, pod(name));
  const patch = JSON.stringify({ status: { podIP: ip, podIPs: [{ ip }] } });
  await cluster.api.patch(pods, { namespace: 'default', name, subresource: 'status' }, 'merge', patch);
  await cluster.setReady(created, true);
  await cluster.settle();
}
const addresses = async () =>
  (await cluster.get(endpoints, 'web')).subsets?.flatMap(({ addresses = [] }) => addresses.map(({ ip }) => ip)) ?? [];
const sliced = async () =>
  (await cluster.list(endpointSlices)).flatMap((slice) =>
    slice.endpoints.map((one) => `${one.addresses[0]} ${one.conditions?.ready}`),
  );

test('endpoints and slices follow the pods of a Service', async () => {
  await cluster.settle();
  assert.deepEqual([await addresses(), await sliced()], [[], []]);
  await run('a', '10.0.0.1');
  await run('b', '10.0.0.2');
  assert.deepEqual(
    [await addresses(), await sliced()],
    [
      ['10.0.0.1', '10.0.0.2'],
      ['10.0.0.1 true', '10.0.0.2 true'],
    ],
  );
  assert.equal((await cluster.list(endpointSlices)).length, 1);

  await cluster.setReady(await cluster.get(pods, 'b'), false);
  await cluster.api.delete(pods, { namespace: 'default', name: 'a' });
  await cluster.settle();
  assert.deepEqual([await addresses(), await sliced()], [[], ['10.0.0.1 false', '10.0.0.2 false']]);
  await cluster.patch(pods, 'b', { metadata: { labels: { app: 'other' } } });
  await cluster.settle();
  assert.deepEqual(await sliced(), ['10.0.0.1 false']);
});

test('everything goes with the Service', async () => {
  await run('a', '10.0.0.1');
  await cluster.api.delete(services, { namespace: 'default', name: 'web' });
  await cluster.eventually(async () => {
    assert.deepEqual(await cluster.list(endpoints), []);
    assert.deepEqual(await cluster.list(endpointSlices), []);
  });
});

test('endpoints that somebody deletes come back', async () => {
  await run('a', '10.0.0.1');
  await cluster.api.delete(endpoints, { namespace: 'default', name: 'web' });
  for (const { metadata } of await cluster.list(endpointSlices)) {
    await cluster.api.delete(endpointSlices, { namespace: 'default', name: metadata.name! });
  }
  await cluster.settle();
  assert.deepEqual([await addresses(), await sliced()], [['10.0.0.1'], ['10.0.0.1 true']]);
});
