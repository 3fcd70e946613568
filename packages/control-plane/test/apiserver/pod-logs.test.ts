// `pods/log` over real HTTPS: from a client through the API server to a kubelet and back.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import { silentLog } from '@kedge/core/log';
import type { HttpClient, Listening, ServerRequest, ServerResponse } from '@kedge/core/ports';
import { days, minus, plus } from '@kedge/core/time';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import type { Status } from '@kedge/model/k8s';
import { createHttpClient, createHttpServers, systemClock } from '@kedge/platform/node';
import { startTestServer, type TestServer } from './test-server.ts';

let directory: string;
let running: TestServer;
let api: KubeApi;
let admin: HttpClient;
let kubelet: Listening;
let answerOf: (request: ServerRequest, response: ServerResponse) => Promise<void>;
const asked: { readonly path: string; readonly query: string; readonly caller: string | undefined }[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kedge-logs-'));
  running = await startTestServer({ directory });
  api = running.server.localApi(systemUser);
  const { authority, admin: certificate } = running.server.pki;
  admin = createHttpClient({
    tls: { ca: authority.certificatePem, certificate: certificate.certificatePem, key: certificate.key.reveal() },
  });
  const now = systemClock.now();
  const { certificatePem, key } = await authority.issueWithKey({
    subject: { commonName: 'edge-1', organizations: [] },
    usages: ['serverAuth'],
    notBefore: minus(now, days(1)),
    notAfter: plus(now, days(1)),
  });
  kubelet = await createHttpServers({ log: silentLog }).listen({
    address: '127.0.0.1',
    port: 0,
    tls: {
      certificate: certificatePem,
      key: key.reveal(),
      clientCa: authority.certificatePem,
      clientAuth: 'require',
    },
    async handler(request, response) {
      asked.push({ path: request.path, query: request.query.toString(), caller: request.peer?.commonName });
      await answerOf(request, response);
    },
  });
  await api.create(collections.serviceAccounts, 'default', { metadata: { name: 'default' } });
  await api.create(collections.nodes, undefined, {
    metadata: { name: 'edge-1' },
    status: {
      addresses: [{ type: 'InternalIP', address: '127.0.0.1' }],
      daemonEndpoints: { kubeletEndpoint: { Port: kubelet.port } },
    },
  });
  await api.create(collections.nodes, undefined, { metadata: { name: 'edge-2' } });
  const container = (name: string) => ({ name, image: 'busybox' });
  for (const [name, nodeName, containers, annotations] of [
    ['one', 'edge-1', ['main'], {}],
    ['two', 'edge-1', ['a', 'b'], {}],
    ['told', 'edge-1', ['a', 'b'], { 'kubectl.kubernetes.io/default-container': 'b' }],
    ['waiting', '', ['main'], {}],
    ['elsewhere', 'edge-2', ['main'], {}],
  ] as const) {
    await api.create(collections.pods, 'default', {
      metadata: { name, annotations },
      spec: { ...(nodeName ? { nodeName } : {}), containers: containers.map(container) },
    });
  }
});
after(async () => {
  await admin.close();
  await kubelet.close();
  await running.stop();
  await rm(directory, { recursive: true, force: true });
});

const plain = { 'content-type': 'text/plain' };
const url = (pod: string, query = ''): string =>
  `https://127.0.0.1:${running.server.port()}/api/v1/namespaces/default/pods/${pod}/log?${query}`;
async function get(pod: string, query = ''): Promise<{ status: number; body: string }> {
  const response = await admin.request({ method: 'GET', url: url(pod, query) });
  return { status: response.status, body: await response.text() };
}
const message = ({ body }: { body: string }): string => (JSON.parse(body) as Status).message ?? '';

describe('the log of a pod', () => {
  test('comes from its kubelet, which is shown the certificate of the API server', async () => {
    answerOf = async (_request, response) => response.send(200, plain, 'hello\n');
    asked.length = 0;
    assert.deepEqual(await get('one', 'tailLines=5&timestamps=true&nonsense=1'), { status: 200, body: 'hello\n' });
    assert.deepEqual(asked, [
      {
        path: '/containerLogs/default/one/main',
        query: 'timestamps=true&tailLines=5',
        caller: 'kube-apiserver-kubelet-client',
      },
    ]);
  });

  test('arrives while it is written, and the kubelet hears when the reader leaves', async () => {
    const left = Promise.withResolvers<void>();
    answerOf = async (request, response) => {
      const stream = response.stream(200, plain);
      stream.write('first\n');
      request.signal.addEventListener('abort', () => left.resolve());
      await left.promise;
    };
    const response = await admin.request({ method: 'GET', url: url('one', 'follow=true') });
    for await (const chunk of response.chunks()) {
      assert.equal(new TextDecoder().decode(chunk), 'first\n');
      break;
    }
    await left.promise;
  });

  test('is that of the container that was named, or is meant', async () => {
    answerOf = async ({ path }, response) => response.send(200, plain, path.split('/').at(-1) ?? '');
    assert.equal((await get('two', 'container=b')).body, 'b');
    assert.equal((await get('told')).body, 'b');
    const open = await get('two');
    assert.equal(open.status, 400);
    assert.equal(message(open), 'a container name must be specified for pod two, choose one of: [a b]');
    const wrong = await get('two', 'container=c');
    assert.equal(wrong.status, 400);
    assert.equal(message(wrong), 'container c is not valid for pod two');
  });

  test('is empty before the pod is on a node, and missing with the pod', async () => {
    assert.deepEqual(await get('waiting'), { status: 200, body: '' });
    assert.equal((await get('gone')).status, 404);
  });

  test('that the kubelet refuses, or that no kubelet can be asked for, is an error that says so', async () => {
    answerOf = async (_request, response) => response.send(404, plain, 'container "main" has not started yet\n');
    const early = await get('one');
    assert.deepEqual([early.status, message(early)], [400, 'container "main" has not started yet']);
    const away = await get('elsewhere');
    assert.equal(away.status, 503);
    assert.match(message(away), /node "edge-2" does not say where its kubelet listens/);
  });
});
