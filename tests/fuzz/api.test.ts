// The Kubernetes API under rubbish: whatever is sent, it answers with a Status that says whose fault it is, never with a
// failure of its own, and what was stored before stays as it was.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as fc from 'fast-check';
import { parseKubeconfig } from '@kedge/engine/kube-client';
import { readFile } from 'node:fs/promises';
import { startTestServer, type TestServer } from '../../packages/control-plane/test/apiserver/test-server.ts';
import { runs, spoiledDocument, spoiledText } from './spoiled.ts';

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'p',
    labels: { a: 'b' },
    annotations: { c: 'd' },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'o', uid: 'u' }],
    finalizers: ['x.io/y'],
  },
  spec: {
    nodeName: 'n',
    restartPolicy: 'Always',
    terminationGracePeriodSeconds: 3,
    nodeSelector: { k: 'v' },
    tolerations: [{ key: 'k', operator: 'Exists', effect: 'NoSchedule' }],
    volumes: [
      { name: 'v', configMap: { name: 'c', items: [{ key: 'k', path: 'p' }] } },
      { name: 'e', emptyDir: { sizeLimit: '1Gi' } },
    ],
    containers: [
      {
        name: 'c',
        image: 'i',
        env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
        ports: [{ containerPort: 80, protocol: 'TCP' }],
        resources: { requests: { cpu: '100m', memory: '1Gi' } },
        volumeMounts: [{ name: 'v', mountPath: '/v' }],
        livenessProbe: { httpGet: { path: '/', port: 80 }, periodSeconds: 5 },
      },
    ],
  },
};
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'd' },
  spec: {
    replicas: 2,
    selector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: 1 } },
    template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  },
};
const crd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'things.x.io' },
  spec: {
    group: 'x.io',
    scope: 'Namespaced',
    names: { plural: 'things', singular: 'thing', kind: 'Thing', shortNames: ['th'] },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { spec: { type: 'object', properties: { n: { type: 'integer', minimum: 1, default: 3 } } } },
          },
        },
        additionalPrinterColumns: [{ name: 'N', type: 'integer', jsonPath: '.spec.n' }],
        subresources: { status: {} },
      },
    ],
  },
};
const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' }, data: { a: 'b' } };
const node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n' },
  spec: { taints: [{ key: 'k', effect: 'NoSchedule' }] },
};

const collections: readonly [string, unknown][] = [
  ['/api/v1/namespaces/default/pods', pod],
  ['/apis/apps/v1/namespaces/default/deployments', deployment],
  ['/api/v1/nodes', node],
  ['/api/v1/namespaces/default/configmaps', { ...configMap, metadata: { name: 'other' } }],
  ['/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd],
];

describe('the API under rubbish', () => {
  let directory: string;
  let server: TestServer;
  let send: (method: string, path: string, body?: string | Uint8Array, type?: string) => Promise<Answer>;
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'kedge-fuzz-'));
    server = await startTestServer({ directory });
    const config = parseKubeconfig(await readFile(server.kubeconfigPath, 'utf8'));
    const pem = (source: unknown): string => (source as { pem: string }).pem;
    const { hostname: host, port } = new URL(config.server);
    const { ca, client } = config as unknown as { ca: unknown; client: { certificate: unknown; key: unknown } };
    const key = client.key as { reveal?: () => unknown };
    const tls = { ca: pem(ca), cert: pem(client.certificate), key: pem(key.reveal?.() ?? key) };
    send = (method, path, body, type = 'application/json') =>
      new Promise((resolve, reject) => {
        const headers = body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) };
        const outgoing = request({ host, port, method, path, headers, agent, ...tls }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.once('end', () =>
            resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', body: text }),
          );
        });
        outgoing.setTimeout(5_000, () => outgoing.destroy(new Error(`no answer to ${method} ${path}`)));
        outgoing.once('error', reject);
        outgoing.end(body);
      });
    // There are no controllers here to make it.
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default' } };
    await send('POST', '/api/v1/namespaces/default/serviceaccounts', JSON.stringify(account));
    const made = await send('POST', '/api/v1/namespaces/default/configmaps', JSON.stringify(configMap));
    assert.equal(made.status, 201, made.body);
  });
  after(async () => {
    agent.destroy();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  });

  /** An object, or a Status that blames the sender. */
  function assertAnswer({ status, type, body }: Answer, input: unknown): void {
    const what = `${status} ${body.slice(0, 500)} for ${JSON.stringify(input).slice(0, 500)}`;
    assert.ok(status >= 200 && status < 500, what);
    if (body === '' || !type.startsWith('application/json')) return;
    const document = JSON.parse(body) as { kind?: string; code?: number; message?: string };
    if (status < 400) return;
    assert.equal(document.kind, 'Status', what);
    assert.equal(document.code, status, what);
    assert.ok(document.message, what);
  }
  async function remove(created: Answer, path: string): Promise<void> {
    if (created.status !== 201) return;
    const { metadata } = JSON.parse(created.body) as { metadata: { name: string } };
    const at = `${path}/${encodeURIComponent(metadata.name)}`;
    await send('PATCH', at, '{"metadata":{"finalizers":null}}', 'application/merge-patch+json');
    assertAnswer(await send('DELETE', `${at}?gracePeriodSeconds=0`), metadata.name);
  }

  for (const [path, good] of collections) {
    test(`objects with one wrong value: POST ${path}`, async () => {
      await fc.assert(
        fc.asyncProperty(spoiledDocument([good]), async (document) => {
          const created = await send('POST', path, JSON.stringify(document));
          assertAnswer(created, document);
          if (created.status === 201) assertAnswer(await send('GET', path), 'the list afterwards');
          await remove(created, path);
        }),
        { ...runs(120), endOnFailure: true },
      );
    });
  }

  test('bodies of broken text and of bytes, as any media type', async () => {
    const texts = collections.map(([, good]) => JSON.stringify(good));
    const types = fc.constantFrom(
      'application/json',
      'application/yaml',
      'application/vnd.kubernetes.protobuf',
      'text/plain',
      'x',
      '',
    );
    const bodies = fc.oneof(
      spoiledText(texts),
      fc.string(),
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.concat([Buffer.from('k8s\0'), bytes])),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...collections), bodies, types, async ([path], body, type) => {
        const created = await send('POST', path, body, type);
        assertAnswer(created, typeof body === 'string' ? body : [...body]);
        await remove(created, path);
      }),
      { ...runs(250), endOnFailure: true },
    );
    const deep = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"deep"},"data":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`;
    assertAnswer(await send('POST', collections[3]![0], deep), 'a deep document');
    const aliases = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
      .split('')
      .map((name, i) => `${name}: &${name} [${`*${'abcdefgh'[i]},`.repeat(9)}]`)
      .join('\n')}\n`;
    assertAnswer(await send('POST', collections[3]![0], aliases, 'application/yaml'), 'YAML that multiplies');
    const large = await send('POST', collections[3]![0], 'x'.repeat(5 << 20)).catch(() => ({
      status: 413,
      type: '',
      body: '',
    }));
    assert.equal(large.status, 413);
  });

  test('patches of every type', async () => {
    const types = fc.constantFrom(
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/strategic-merge-patch+json',
      'application/apply-patch+yaml',
    );
    const operations = [
      { op: 'add', path: '/data/z', value: 'y' },
      { op: 'test', path: '/data/a', value: 'b' },
      { op: 'move', from: '/data/a', path: '/data/b' },
    ];
    const documents = fc.oneof(spoiledDocument([operations, { data: { a: 'c' } }, configMap]), fc.jsonValue());
    const at = '/api/v1/namespaces/default/configmaps/patched';
    await send(
      'POST',
      '/api/v1/namespaces/default/configmaps',
      JSON.stringify({ ...configMap, metadata: { name: 'patched' } }),
    );
    await fc.assert(
      fc.asyncProperty(types, documents, async (type, document) => {
        assertAnswer(
          await send('PATCH', `${at}?fieldManager=fuzz&force=true`, JSON.stringify(document), type),
          document,
        );
        const { status, body } = await send('GET', at);
        if (status === 404)
          return void (await send(
            'POST',
            '/api/v1/namespaces/default/configmaps',
            JSON.stringify({ ...configMap, metadata: { name: 'patched' } }),
          ));
        const { kind, metadata } = JSON.parse(body) as { kind: string; metadata: { name: string } };
        assert.deepEqual([kind, metadata.name], ['ConfigMap', 'patched']);
      }),
      { ...runs(400), endOnFailure: true },
    );
  });

  test('paths, methods and queries', async () => {
    const segment = fc.constantFrom(
      'api',
      'apis',
      'v1',
      'apps',
      'namespaces',
      'default',
      'pods',
      'kept',
      'configmaps',
      'status',
      'log',
      'openapi',
      'v3',
      'watch',
      '..',
      '%2e%2e',
      '%00',
      '%ff',
      '*',
      'x'.repeat(300),
    );
    const path = fc.array(segment, { maxLength: 7 }).map((parts) => `/${parts.join('/')}`);
    const text = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom(
        'a=b',
        'metadata.name=x',
        '-1',
        '0',
        '99999999999999999999',
        'true',
        'a in (b',
        'eyJ2IjoxfQ',
        'Exact',
        'NotOlderThan',
      ),
    );
    const query = fc.dictionary(
      fc.constantFrom(
        'labelSelector',
        'fieldSelector',
        'limit',
        'continue',
        'resourceVersion',
        'resourceVersionMatch',
        'timeoutSeconds',
        'dryRun',
        'fieldValidation',
        'pretty',
        'propagationPolicy',
      ),
      text,
      { maxKeys: 3 },
    );
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD');
    const known = fc.constantFrom(...collections.map(([at]) => at), '/api/v1/namespaces/default/configmaps/absent');
    await fc.assert(
      fc.asyncProperty(method, fc.oneof(path, known), query, async (how, at, parameters) => {
        // Deleting everything would be no fault.
        if (how === 'DELETE' && !at.endsWith('absent')) return;
        const answer = await send(how, `${at}?${new URLSearchParams(parameters).toString()}`);
        if (answer.status === 504 || answer.status === 501) return;
        assertAnswer(answer, [how, at, parameters]);
      }),
      { ...runs(500), endOnFailure: true },
    );
  });

  test('and what was there before is there still', async () => {
    const { status, body } = await send('GET', '/api/v1/namespaces/default/configmaps/kept');
    assert.equal(status, 200);
    assert.deepEqual((JSON.parse(body) as { data: unknown }).data, { a: 'b' });
  });
});
