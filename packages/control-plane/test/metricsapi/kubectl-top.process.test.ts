// `kubectl top` against the API server, which asks a real kubelet endpoint over TLS with its client certificate.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { systemUser } from '@kedge/control-plane/apiserver';
import { createMetricsApi } from '@kedge/control-plane/metricsapi';
import { silentLog } from '@kedge/core/log';
import { createHost, type Host } from '@kedge/core/module';
import type { HttpClient, Listening } from '@kedge/core/ports';
import { seconds } from '@kedge/core/time';
import { collections, createSharedInformers } from '@kedge/engine/kube-client';
import { createHttpClient, createHttpServers, createRandom, systemClock as clock } from '@kedge/platform/node';
import { startTestServer, type TestServer } from '../apiserver/test-server.ts';

let directory: string;
let running: TestServer;
let kubelet: Listening;
let kubelets: HttpClient;
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
  directory = await mkdtemp(join(tmpdir(), 'kedge-top-'));
  running = await startTestServer({ directory });
  const { pki } = running.server;
  const { certificatePem, key } = pki.serving;
  kubelet = await createHttpServers({ log: silentLog }).listen({
    address: '127.0.0.1',
    port: 0,
    tls: {
      certificate: certificatePem,
      key: key.reveal(),
      clientCa: pki.authority.certificatePem,
      clientAuth: 'require',
    },
    async handler({ path, peer }, response) {
      callers.add(peer?.commonName);
      const isMetrics = path === '/metrics/resource';
      response.send(isMetrics ? 200 : 404, { 'content-type': 'text/plain' }, isMetrics ? metricsText() : '');
    },
  });
  const api = running.server.localApi(systemUser);
  const informers = createSharedInformers({ api, clock, log: silentLog, random: createRandom() });
  const client = pki.kubeletClient;
  kubelets = createHttpClient({
    tls: { certificate: client.certificatePem, key: client.key.reveal(), trustAnyServer: true },
    timeouts: { connect: seconds(2), answer: seconds(2) },
  });
  const metrics = createMetricsApi({ clock, log: silentLog, kubelets, informers });
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
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
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
  await kubelets.close();
  await kubelet.close();
  await running.stop();
  await rm(directory, { recursive: true, force: true });
});

const run = (...args: string[]) =>
  promisify(execFile)('kubectl', args, {
    env: { ...process.env, KUBECONFIG: running.kubeconfigPath, HOME: directory },
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
  const api = running.server.localApi(systemUser);
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
