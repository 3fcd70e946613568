// `pods/log` over real HTTPS: from a client through the API server to a kubelet and back.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import type { Authority, ServerRequest, ServerResponse } from '@kedge/core/ports';
import { days, minus, plus } from '@kedge/core/time';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import type { Status } from '@kedge/model/k8s';
import { createHttpServers, systemClock } from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { type FakeKubelet, startKubelet } from './fake-kubelet.ts';
import { type OpenServer, openTestServer } from './test-server.ts';

let running: OpenServer;
let api: KubeApi;
let kubelet: FakeKubelet;
let answerOf: (request: ServerRequest, response: ServerResponse) => Promise<void>;
const asked: { readonly path: string; readonly query: string; readonly caller: string | undefined }[] = [];

before(async () => {
  running = await openTestServer('logs');
  ({ api } = running);
  const { authority } = running.server.pki;
  kubelet = await startKubelet({
    node: 'edge-1',
    authority,
    callers: authority,
    async handler(request, response) {
      asked.push({ path: request.path, query: request.query.toString(), caller: request.peer?.commonName });
      await answerOf(request, response);
    },
  });
  await api.create(collections.serviceAccounts, 'default', { metadata: { name: 'default' } });
  await api.create(collections.nodes, undefined, {
    metadata: { name: 'edge-1' },
    status: kubelet.endpoint,
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
  await kubelet.close();
  await running.stop();
});

const plain = { 'content-type': 'text/plain' };
const url = (pod: string, query = ''): string => running.url(`/api/v1/namespaces/default/pods/${pod}/log?${query}`);
async function get(pod: string, query = ''): Promise<{ status: number; body: string }> {
  const response = await running.admin.request({ method: 'GET', url: url(pod, query) });
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
    const response = await running.admin.request({ method: 'GET', url: url('one', 'follow=true') });
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

describe('a kubelet is believed', () => {
  const hello = (_request: ServerRequest, response: ServerResponse): Promise<void> =>
    Promise.resolve(response.send(200, plain, 'hello'));

  async function logFrom(node: string, shows: string, by: Authority): Promise<{ status: number; body: string }> {
    const { authority: callers } = running.server.pki;
    const other = await startKubelet({ node: shows, authority: by, callers, handler: hello });
    try {
      const status = JSON.stringify({ status: other.endpoint });
      await api.patch(collections.nodes, { name: node, subresource: 'status' }, 'merge', status);
      return await get(node === 'edge-1' ? 'one' : 'elsewhere');
    } finally {
      await other.close();
    }
  }

  test('when its certificate names its node, and not when it names another', async () => {
    const { authority } = running.server.pki;
    assert.deepEqual(await logFrom('edge-2', 'edge-2', authority), { status: 200, body: 'hello' });
    const stolen = await logFrom('edge-2', 'edge-1', authority);
    assert.equal(stolen.status, 503);
    assert.match(message(stolen), /node "edge-2" is not trusted: .*it is that of node "edge-1", not of "edge-2"/);
  });

  test('never over plain HTTP, which is what an edge of KubeEdge serves; the refusal says what that needs', async () => {
    const plainly = await createHttpServers({ log: silentLog }).listen({
      address: '127.0.0.1',
      port: 0,
      handler: hello,
    });
    const say = async (kubeletVersion: string): Promise<string> => {
      const daemonEndpoints = { kubeletEndpoint: { Port: plainly.port } };
      const addresses = [{ type: 'InternalIP', address: '127.0.0.1' }];
      const status = JSON.stringify({ status: { addresses, daemonEndpoints, nodeInfo: { kubeletVersion } } });
      await api.patch(collections.nodes, { name: 'edge-2', subresource: 'status' }, 'merge', status);
      const refused = await get('elsewhere');
      assert.equal(refused.status, 503);
      return message(refused);
    };
    try {
      assert.match(
        await say('v1.31.12-kubeedge-v1.22.2'),
        /node "edge-2" cannot be reached: .*; .*through CloudStream$/s,
      );
      assert.doesNotMatch(await say('v1.32.0-kedge-v0.1.0'), /CloudStream/);
    } finally {
      await plainly.close();
    }
  });

  test('when its certificate is of the CA that cloudcore keeps in its Secret, from then on', async () => {
    const now = systemClock.now();
    const edges = await createCertificateAuthorities().createAuthority({
      subject: { commonName: 'KubeEdge', organizations: [] },
      notBefore: minus(now, days(1)),
      notAfter: plus(now, days(1)),
    });
    const early = await logFrom('edge-2', 'edge-2', edges);
    assert.equal(early.status, 503);
    assert.match(message(early), /node "edge-2" is not trusted/);
    await api.create(collections.namespaces, undefined, { metadata: { name: 'kubeedge' } });
    const cadata = Buffer.from(edges.certificate).toString('base64');
    await api.create(collections.secrets, 'kubeedge', { metadata: { name: 'casecret' }, data: { cadata } });
    assert.deepEqual(await logFrom('edge-2', 'edge-2', edges), { status: 200, body: 'hello' });
  });
});
