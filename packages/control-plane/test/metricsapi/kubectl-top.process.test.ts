// `kubectl top` against the API server, which asks a real kubelet endpoint over TLS with its client certificate.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { createMetricsApi } from '@kedge/control-plane/metricsapi';
import { silentLog } from '@kedge/core/log';
import { createHost, type Host } from '@kedge/core/module';
import { collections, createSharedInformers } from '@kedge/engine/kube-client';
import { createRandom, systemClock as clock } from '@kedge/platform/node';
import { type FakeKubelet, startKubelet } from '../apiserver/fake-kubelet.ts';
import { type OpenServer, openTestServer } from '../apiserver/test-server.ts';

let running: OpenServer;
let kubelet: FakeKubelet;
let host: Host;
const callers = new Set<string | undefined>();
const began = clock.now();

const metricsText = (): string => {
  const at = clock.now();
  const used = (at - began) / 1_000;
  return `# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total ${used * 0.5} ${at}
node_memory_working_set_bytes ${512 * 1024 * 1024} ${at}
container_cpu_usage_seconds_total{container="main",namespace="default",pod="web"} ${used * 0.2} ${at}
container_memory_working_set_bytes{container="main",namespace="default",pod="web"} ${64 * 1024 * 1024} ${at}
`;
};

before(async () => {
  running = await openTestServer('top');
  const { api, server } = running;
  const { authority } = server.pki;
  kubelet = await startKubelet({
    node: 'edge',
    authority,
    callers: authority,
    async handler({ path, peer }, response) {
      callers.add(peer?.commonName);
      const isMetrics = path === '/metrics/resource';
      response.send(isMetrics ? 200 : 404, { 'content-type': 'text/plain' }, isMetrics ? metricsText() : '');
    },
  });
  const informers = createSharedInformers({ api, clock, log: silentLog, random: createRandom() });
  const metrics = createMetricsApi({ clock, log: silentLog, kubelets: server.kubelets, informers });
  running.server.mount(metrics);
  host = createHost({ clock, log: silentLog });
  await host.start([informers, metrics.module], new AbortController().signal);

  await api.create(collections.serviceAccounts, 'default', { metadata: { name: 'default' } });
  for (const [name, port] of [
    ['edge', kubelet.port],
    ['unreachable', 1],
  ] as const) {
    await api.create(collections.nodes, undefined, { metadata: { name } });
    const status = {
      conditions: [{ type: 'Ready', status: 'True' }],
      allocatable: { cpu: '2', memory: '1Gi' },
      ...kubelet.endpoint,
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    };
    await api.patch(collections.nodes, { name, subresource: 'status' }, 'merge', JSON.stringify({ status }));
  }
  await api.create(collections.pods, 'default', {
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: { nodeName: 'edge', containers: [{ name: 'main', image: 'busybox' }] },
  });
  const target = { namespace: 'default', name: 'web', subresource: 'status' };
  await api.patch(collections.pods, target, 'merge', '{"status":{"phase":"Running"}}');
});
after(async () => {
  await host.stop();
  await kubelet.close();
  await running.stop();
});

const run = (...args: string[]) =>
  promisify(execFile)('kubectl', args, {
    env: { ...process.env, KUBECONFIG: running.kubeconfigPath, HOME: running.directory },
  });
async function kubectl(...args: string[]): Promise<string[][]> {
  const { stdout } = await run(...args);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s{2,}/));
}

test('top shows nodes and pods, and the node that cannot be reached as unknown', async () => {
  const nodes = await kubectl('top', 'nodes', '--no-headers');
  assert.deepEqual(nodes, [
    ['edge', '500m', '25%', '512Mi', '50%'],
    ['unreachable', '<unknown>', '<unknown>', '<unknown>', '<unknown>'],
  ]);
  assert.deepEqual(await kubectl('top', 'pods', '--no-headers'), [['web', '200m', '64Mi']]);
  assert.deepEqual(await kubectl('top', 'pods', '-l', 'app=web', '--containers', '--no-headers'), [
    ['web', 'main', '200m', '64Mi'],
  ]);
  assert.deepEqual([...callers], ['kube-apiserver-kubelet-client']);
});

test('whoever may view may see what is in use', async () => {
  const { api } = running;
  const group = 'rbac.authorization.k8s.io';
  const roleRef = { apiGroup: group, kind: 'ClusterRole', name: 'view' };
  const subjects = [{ apiGroup: group, kind: 'User', name: 'ann' }];
  const binding = { metadata: { name: 'ann' }, roleRef, subjects };
  await api.create({ group, version: 'v1', resource: 'rolebindings' }, 'default', binding);
  assert.deepEqual(await kubectl('top', 'pods', '--no-headers', '--as=ann'), [['web', '200m', '64Mi']]);
  await assert.rejects(kubectl('top', 'nodes', '--as=ann'), /nodes.metrics.k8s.io is forbidden/);
});

test('the kinds are explained, and are in both documents', async () => {
  const of = ['pods.containers.usage', '--api-version=metrics.k8s.io/v1beta1'];
  const { stdout } = await run('explain', ...of);
  assert.match(stdout, /GROUP: +metrics\.k8s\.io\nKIND: +PodMetrics\nVERSION: +v1beta1/);
  assert.match(stdout, /What is in use, by the name of the resource: cpu and memory\./);
  const older = JSON.parse((await run('get', '--raw', '/openapi/v2')).stdout) as { definitions: object };
  const names = Object.keys(older.definitions).filter((name) => name.includes('metrics.v1beta1'));
  assert.deepEqual(names.map((name) => name.split('.').at(-1)).toSorted(), [
    'ContainerMetrics',
    'NodeMetrics',
    'PodMetrics',
  ]);
});

test('the kinds are in discovery, and print as a table', async () => {
  const resources = await kubectl('api-resources', '--api-group=metrics.k8s.io', '--no-headers');
  assert.deepEqual(
    resources.map((cells) => cells.at(-1)),
    ['NodeMetrics', 'PodMetrics'],
  );
  const [row] = await kubectl('get', 'pods.metrics.k8s.io', 'web', '--no-headers');
  assert.deepEqual([row![0], row![2]], ['web', '65536Ki']);
});
