// The metrics API over kubelets that answer, are slow, or talk nonsense.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetricsApi } from '@kedge/control-plane/metricsapi';
import { silentLog } from '@kedge/core/log';
import { createHost } from '@kedge/core/module';
import type { HttpResponse } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { minutes, seconds } from '@kedge/core/time';
import { collections, createSharedInformers } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import type { Node } from '@kedge/model/k8s-types';
import { createFakeKubeApi } from '@kedge/testing/kube';

const settle = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
};
const node = (name: string, address: string, ready = 'True'): Node => ({
  metadata: { name, labels: { zone: name } },
  status: {
    conditions: [{ type: 'Ready', status: ready }],
    addresses: [{ type: 'InternalIP', address }],
    daemonEndpoints: { kubeletEndpoint: { Port: 10_250 } },
  },
});

async function open() {
  const clock = new FakeClock({ settle });
  const api = createFakeKubeApi({ clock });
  const asked: string[] = [];
  const kubelets = {
    async get({ status: of, metadata: { name } }: Node, path: string, signal: AbortSignal): Promise<HttpResponse> {
      asked.push(`${of?.addresses?.[0]?.address}${path}`);
      if (name === 'slow') await clock.sleep('a slow kubelet', minutes(10), signal);
      const status = name === 'broken' ? 500 : 200;
      const used = clock.monotonic() / 10_000;
      const labels = '{container="main",namespace="default",pod="web"}';
      const text = async () => `node_cpu_usage_seconds_total ${used} ${clock.now()}
node_memory_working_set_bytes 1048576 ${clock.now()}
container_cpu_usage_seconds_total${labels} ${used / 2} ${clock.now()}
container_memory_working_set_bytes${labels} 2048 ${clock.now()}
`;
      return { status, headers: {}, text, bytes: async () => new Uint8Array(), async *chunks() {} };
    },
  };
  const random = { next: () => 0.5, uuid: () => 'x' };
  const informers = createSharedInformers({ api, clock, log: silentLog, random });
  const metrics = createMetricsApi({ clock, log: silentLog, kubelets, informers });
  await api.create(collections.nodes, undefined, node('a', '10.0.0.1'));
  await api.create(collections.nodes, undefined, node('slow', '10.0.0.2'));
  await api.create(collections.nodes, undefined, node('broken', '10.0.0.3'));
  await api.create(collections.nodes, undefined, node('gone', '10.0.0.4', 'Unknown'));
  await api.create(collections.pods, 'default', {
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: { nodeName: 'a', containers: [{ name: 'main' }] },
  });
  const running = { namespace: 'default', name: 'web', subresource: 'status' };
  await api.patch(collections.pods, running, 'merge', '{"status":{"phase":"Running"}}');
  const host = createHost({ clock, log: silentLog });
  await clock.until(host.start([informers, metrics.module], new AbortController().signal));
  await clock.advance(seconds(1));
  const call = { user: { name: 'me', groups: [] }, signal: new AbortController().signal, warn: () => undefined };
  const list = async (resource: string, namespace?: string) => {
    const served = metrics.resources.find((one) => one.resource === resource)!;
    const options = { filter: undefined, limit: 0, continueToken: undefined, resourceVersion: undefined };
    const target = { resource: served, namespace };
    const listing = await clock.until(metrics.objects.list(target, { ...options, match: 'not-older-than' }, call));
    const objects = [];
    for await (const page of listing.pages()) for (const { object } of page) objects.push(object);
    return objects;
  };
  return { clock, metrics, asked, list, call, stop: () => clock.until(host.stop()) };
}

test('nothing is asked before somebody wants to know, nor long after', async () => {
  const { clock, asked, list, stop } = await open();
  await clock.advance(minutes(10));
  assert.equal(asked.length, 0);
  await list('nodes');
  assert.ok(asked.includes('10.0.0.1/metrics/resource'));
  assert.ok(!asked.some((url) => url.includes('10.0.0.4')), 'a node that is not ready is left alone');
  await clock.advance(minutes(10));
  const then = asked.length;
  await clock.advance(minutes(10));
  assert.equal(asked.length, then);
  await stop();
});

test('usage of nodes and pods, whatever the other nodes do', async () => {
  const { clock, metrics, list, call, stop } = await open();
  await list('nodes');
  await clock.advance(seconds(40));
  const [only, ...others] = await list('nodes');
  assert.deepEqual(others, []);
  assert.deepEqual([only!.metadata.name, only!.metadata.labels], ['a', { zone: 'a' }]);
  assert.deepEqual(only!['usage'], { cpu: '100000000n', memory: '1024Ki' });
  const [pod] = await list('pods', 'default');
  assert.deepEqual(pod!['containers'], [{ name: 'main', usage: { cpu: '50000000n', memory: '2Ki' } }]);
  assert.deepEqual(await list('pods', 'kube-system'), []);
  const served = metrics.resources.find(({ resource }) => resource === 'pods')!;
  const missing = { resource: served, namespace: 'default', name: 'none', subresource: undefined };
  await assert.rejects(
    clock.until(metrics.objects.get(missing, { resourceVersion: undefined }, call)),
    (error) => isStatus(error, 'NotFound') && error.message === 'podmetrics.metrics.k8s.io "default/none" not found',
  );
  await stop();
});
