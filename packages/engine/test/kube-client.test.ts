// The HTTP client against a scripted server: paging, watches, failures, patience, identity.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createInformer } from '@kedge/core/control';
import { openScope } from '@kedge/core/flow';
import { secret, silentLog } from '@kedge/core/log';
import type { HttpClient, HttpRequest, HttpResponse } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { seconds } from '@kedge/core/time';
import { createKubeClient, informerSource, kubeClientErrors, type KubeClientOptions } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject, objectKey } from '@kedge/model/k8s';

const pods = { group: '', version: 'v1', resource: 'pods' };
const deployments = { group: 'apps', version: 'v1', resource: 'deployments' };
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Answer {
  readonly status?: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly pieces?: AsyncIterable<Uint8Array> | string[];
}

function answer({ status = 200, headers = {}, body = {}, pieces }: Answer): HttpResponse {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    status,
    headers,
    text: async () => text,
    bytes: async () => new TextEncoder().encode(text),
    async *chunks() {
      if (pieces === undefined) yield new TextEncoder().encode(text);
      else if (Array.isArray(pieces)) for (const piece of pieces) yield new TextEncoder().encode(piece);
      else yield* pieces;
    },
  };
}

function setUp(
  reply: (request: HttpRequest, url: URL) => Answer | Promise<Answer>,
  more: Partial<KubeClientOptions> = {},
) {
  const clock = new FakeClock({ settle });
  const seen: { method: string; url: URL; headers: Record<string, unknown>; body: string | undefined }[] = [];
  const http: HttpClient = {
    async request(request) {
      const url = new URL(request.url);
      const { method, headers = {}, body } = request;
      seen.push({ method, url, headers, body: body as string | undefined });
      return answer(await reply(request, url));
    },
    close: async () => undefined,
  };
  const api = createKubeClient({
    http,
    clock,
    server: 'https://api.test:6443/',
    credentials: { by: 'connection' },
    userAgent: 'kedge/test',
    random: { next: () => 0, uuid: () => '' },
    ...more,
  });
  return { api, clock, seen };
}

const pod = (name: string, version: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', resourceVersion: version },
});
const event = (type: string, object: unknown) => `${JSON.stringify({ type, object })}\n`;
const collect = async <T>(from: AsyncIterable<T>): Promise<T[]> => {
  const all: T[] = [];
  for await (const item of from) all.push(item);
  return all;
};

test('a list reads every page, keeps the first version and gives items their kind', async () => {
  const { api, seen } = setUp((_request, url) =>
    url.searchParams.get('continue')
      ? {
          body: {
            kind: 'DeploymentList',
            apiVersion: 'apps/v1',
            metadata: { resourceVersion: '9' },
            items: [{ metadata: { name: 'b' } }],
          },
        }
      : {
          body: {
            kind: 'DeploymentList',
            apiVersion: 'apps/v1',
            metadata: { resourceVersion: '7', continue: 'more' },
            items: [{ metadata: { name: 'a' } }],
          },
        },
  );
  const listed = await api.list(deployments, { namespace: 'shop', labelSelector: 'app=web' });
  assert.equal(listed.resourceVersion, '7');
  assert.deepEqual(
    listed.items.map(({ apiVersion, kind, metadata }) => [apiVersion, kind, metadata.name]),
    [
      ['apps/v1', 'Deployment', 'a'],
      ['apps/v1', 'Deployment', 'b'],
    ],
  );
  assert.deepEqual(
    seen.map(({ url }) => url.pathname + url.search),
    [
      '/apis/apps/v1/namespaces/shop/deployments?labelSelector=app%3Dweb&limit=500',
      '/apis/apps/v1/namespaces/shop/deployments?labelSelector=app%3Dweb&limit=500&continue=more',
    ],
  );
});

test('a list whose snapshot expired between pages is read again in one piece', async () => {
  const { api } = setUp((_request, url) => {
    if (url.searchParams.get('continue'))
      return { status: 410, body: { kind: 'Status', reason: 'Expired', code: 410 } };
    const more = url.searchParams.get('limit') ? { continue: 'x' } : {};
    return {
      body: { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '5', ...more }, items: [pod('a', '1')] },
    };
  });
  const { items } = await api.list(pods);
  assert.deepEqual(items.map(objectKey), ['default/a']);
});

test('a watch yields changes and bookmarks however the bytes are cut', async () => {
  const text =
    event('ADDED', pod('a', '11')) +
    event('BOOKMARK', { metadata: { resourceVersion: '12' } }) +
    event('DELETED', pod('ä', '13'));
  const bytes = new TextEncoder().encode(text);
  const { api } = setUp(() => ({
    pieces: (async function* () {
      for (let at = 0; at < bytes.length; at += 7) yield bytes.subarray(at, at + 7);
    })(),
  }));
  const changes = await collect(api.watch(pods, {}, '10', new AbortController().signal));
  assert.deepEqual(
    changes.map((change) => [change.type, 'resourceVersion' in change ? change.resourceVersion : '']),
    [
      ['added', '11'],
      ['bookmark', '12'],
      ['deleted', '13'],
    ],
  );
});

test('a version that is gone ends a watch with expired, whether the server says so by HTTP or inside of it', async () => {
  const gone = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version' };
  for (const reply of [{ status: 410, body: gone }, { pieces: [event('ERROR', gone)] }]) {
    const { api } = setUp(() => reply);
    assert.deepEqual(await collect(api.watch(pods, {}, '1', new AbortController().signal)), [{ type: 'expired' }]);
  }
});

test('a watch that the server forgets to end is ended by the client', async () => {
  const { api, clock } = setUp(() => ({
    pieces: (async function* () {
      yield new TextEncoder().encode(event('ADDED', pod('a', '2')));
      await new Promise(() => undefined);
    })(),
  }));
  const changes = await clock.until(collect(api.watch(pods, {}, '1', new AbortController().signal)));
  assert.equal(changes.length, 1);
  assert.equal(clock.monotonic(), seconds(315));
});

test('a failure is the Status the server sent, and one is made up when it sent none', async () => {
  const { api } = setUp((_request, url) =>
    url.pathname.endsWith('/x')
      ? {
          status: 404,
          body: { kind: 'Status', status: 'Failure', reason: 'NotFound', message: 'pods "x" not found', code: 404 },
        }
      : { status: 502, body: 'bad gateway' },
  );
  await assert.rejects(api.get(pods, { namespace: 'default', name: 'x' }), (error) => isStatus(error, 'NotFound'));
  await assert.rejects(api.get(pods, { namespace: 'default', name: 'y' }), (error) => {
    assert.ok(isStatus(error, 'InternalError'));
    assert.equal(error.status.code, 502);
    return true;
  });
});

test('a server that asks for patience is called again after the time it names', async () => {
  let calls = 0;
  const { api, clock } = setUp(() =>
    ++calls < 3 ? { status: 429, headers: { 'retry-after': '2' } } : { body: pod('a', '1') },
  );
  const got = await clock.until(api.get(pods, { namespace: 'default', name: 'a' }));
  assert.equal(got.metadata.name, 'a');
  assert.equal(clock.monotonic(), seconds(4));
});

test('a server that does not answer costs a time-out that names the call', async () => {
  const { api, clock } = setUp(() => new Promise<Answer>(() => undefined));
  await assert.rejects(clock.until(api.get(pods, { namespace: 'default', name: 'a' })), (error) =>
    kubeClientErrors.TIMEOUT.is(error),
  );
});

test('calls beyond the burst wait for their turn', async () => {
  const { api, clock } = setUp(() => ({ body: pod('a', '1') }), { limit: { perSecond: 10, burst: 2 } });
  const target = { namespace: 'default', name: 'a' };
  await clock.until(Promise.all([1, 2, 3, 4].map(() => api.get(pods, target))));
  assert.equal(clock.monotonic(), 200);
});

test('a call carries the token and whom to act as', async () => {
  const { api, seen } = setUp(() => ({ body: pod('a', '1') }), {
    credentials: { by: 'token', token: () => secret('t0k') },
  });
  const asUser = { name: 'system:node:edge-1', groups: ['system:nodes', 'system:authenticated'] };
  await api.get(pods, { namespace: 'default', name: 'a' }, { asUser });
  assert.deepEqual(seen[0]!.headers, {
    accept: 'application/json',
    'user-agent': 'kedge/test',
    authorization: 'Bearer t0k',
    'impersonate-user': 'system:node:edge-1',
    'impersonate-group': ['system:nodes', 'system:authenticated'],
  });
});

test('each verb becomes the request Kubernetes expects', async () => {
  const { api, seen } = setUp(() => ({ body: pod('a', '1') }));
  const target = { namespace: 'default', name: 'a' };
  await api.create(pods, 'default', pod('a', ''), { subresource: { name: 'a', subresource: 'binding' } });
  await api.update(pods, pod('a', '4'), { subresource: 'status' });
  await api.patch(pods, { ...target, subresource: 'status' }, 'strategic', '{"status":{}}');
  await api.delete(pods, target, { gracePeriodSeconds: 0, uid: 'u1', propagationPolicy: 'Foreground' });
  assert.deepEqual(
    seen.map(({ method, url }) => `${method} ${url.pathname}`),
    [
      'POST /api/v1/namespaces/default/pods/a/binding',
      'PUT /api/v1/namespaces/default/pods/a/status',
      'PATCH /api/v1/namespaces/default/pods/a/status',
      'DELETE /api/v1/namespaces/default/pods/a',
    ],
  );
  assert.equal(seen[2]!.headers['content-type'], 'application/strategic-merge-patch+json');
  assert.deepEqual(JSON.parse(seen[3]!.body!), {
    kind: 'DeleteOptions',
    apiVersion: 'v1',
    gracePeriodSeconds: 0,
    propagationPolicy: 'Foreground',
    preconditions: { uid: 'u1' },
  });
});

test('an integer too long for a double comes back digit for digit', async () => {
  const text = '{"kind":"Thing","metadata":{"name":"a"},"spec":{"serial":12345678901234567890,"ok":[1,2.5]}}';
  const { api, seen } = setUp((request) => (request.method === 'GET' ? { body: text } : { body: '{}' }));
  const things = { group: 'example.org', version: 'v1', resource: 'things' };
  await api.update(things, await api.get(things, { name: 'a' }));
  assert.equal(seen[1]!.body, text);
});

test('an informer over the client lists, follows, and drops managedFields', async () => {
  const managed: KubeObject = {
    ...pod('a', '1'),
    metadata: { ...pod('a', '1').metadata, managedFields: [{ manager: 'x' }] },
  };
  const { api, clock } = setUp((_request, url) =>
    url.searchParams.get('watch')
      ? {
          pieces: (async function* () {
            yield new TextEncoder().encode(event('ADDED', pod('b', '6')));
            await new Promise(() => undefined);
          })(),
        }
      : { body: { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '5' }, items: [managed] } },
  );
  const scope = openScope({ clock, name: 'test' });
  const informer = createInformer({
    name: 'pods',
    clock,
    log: silentLog,
    source: informerSource(api, pods),
    keyOf: objectKey,
    versionOf: (object) => object.metadata.resourceVersion,
  });
  informer.start(scope);
  await informer.synced(scope.signal);
  for (let i = 0; i < 10; i++) await settle();
  assert.deepEqual([...informer.list()].map(objectKey), ['default/a', 'default/b']);
  assert.equal(informer.get('default/a')!.metadata.managedFields, undefined);
  await clock.until(scope.close(seconds(1)));
});

test('a watch whose server went away without a word ends by itself, and leaves no timer when it ends before', async () => {
  let isSilent = true;
  const { api, clock } = setUp(() => ({
    pieces: (async function* () {
      yield new TextEncoder().encode(event('ADDED', pod('a', '6')));
      if (isSilent) await new Promise(() => undefined);
    })(),
  }));
  const signal = new AbortController().signal;
  const watched = async (): Promise<string[]> => {
    const seen: string[] = [];
    for await (const change of api.watch(pods, {}, '5', signal)) seen.push(change.type);
    return seen;
  };
  const began = clock.monotonic();
  assert.deepEqual(await clock.until(watched()), ['added']);
  assert.equal(clock.monotonic() - began, seconds(315));
  isSilent = false;
  assert.deepEqual(await watched(), ['added']);
  assert.deepEqual(clock.waiting, []);
});
