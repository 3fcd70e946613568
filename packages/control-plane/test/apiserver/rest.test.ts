// The HTTP face of the API server: what clients other than kubectl rely on, and what strangers may send.
import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import { after, before, describe, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import type { HttpClient, HttpResponse } from '@kedge/core/ports';
import { collections } from '@kedge/engine/kube-client';
import type { KubeObject, Status } from '@kedge/model/k8s';
import { type OpenServer, openTestServer } from './test-server.ts';

let running: OpenServer;

before(async () => {
  running = await openTestServer('rest');
  const { api } = running;
  await api.create(collections.serviceAccounts, 'default', { metadata: { name: 'default' } });
  for (const name of ['a', 'b', 'c', 'd', 'e']) {
    await api.create(collections.configMaps, 'default', {
      metadata: { name, labels: { odd: String('ace'.includes(name)) } },
      data: { name },
    });
  }
});
after(() => running.stop());

interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly client?: HttpClient;
}

function ask(
  path: string,
  { method = 'GET', headers = {}, body, client = running.admin }: Asked = {},
): Promise<HttpResponse> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  return client.request({
    method,
    url: running.url(path),
    headers: { ...(text === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(text === undefined ? {} : { body: text }),
  });
}
const json = async <T>(path: string, asked?: Asked): Promise<T> =>
  JSON.parse(await (await ask(path, asked)).text()) as T;
const maps = '/api/v1/namespaces/default/configmaps';
interface List {
  items: KubeObject[];
  metadata: { continue?: string; remainingItemCount?: number; resourceVersion: string };
}
const names = ({ items }: List): string[] =>
  items.map(({ metadata }) => metadata.name!).filter((name) => name.length === 1);

/** Reads `count` events of a watch, then hangs up. */
async function events(
  path: string,
  count: number,
): Promise<{ type: string; object: KubeObject & { rows?: unknown[] } }[]> {
  const response = await ask(path);
  const found: { type: string; object: KubeObject }[] = [];
  let rest = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.chunks()) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop()!;
    found.push(...lines.map((line) => JSON.parse(line) as { type: string; object: KubeObject }));
    if (found.length >= count) break;
  }
  return found;
}

test('empty maps and lists of metadata are not kept, as Kubernetes does not', async () => {
  const metadata = { name: 'bare', labels: {}, annotations: {}, finalizers: ['example.org/hold'], ownerReferences: [] };
  const { metadata: made } = await json<KubeObject>(maps, { method: 'POST', body: { metadata } });
  assert.deepEqual([made.labels, made.annotations, made.ownerReferences], [undefined, undefined, undefined]);
  const freed = await json<KubeObject>(`${maps}/bare`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/strategic-merge-patch+json' },
    body: { metadata: { '$deleteFromPrimitiveList/finalizers': ['example.org/hold'] } },
  });
  assert.equal('finalizers' in freed.metadata, false);
  await ask(`${maps}/bare`, { method: 'DELETE' });
});

describe('lists', () => {
  test('come in pages that show one moment, whatever is written in between', async () => {
    const first = await json<List>(`${maps}?limit=2`);
    assert.deepEqual(names(first), ['a', 'b']);
    assert.ok(first.metadata.remainingItemCount! >= 3);
    await ask(`${maps}/c`, { method: 'DELETE' });
    const second = await json<List>(`${maps}?limit=100&continue=${encodeURIComponent(first.metadata.continue!)}`);
    assert.deepEqual(names(second), ['c', 'd', 'e']);
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
    assert.equal(second.metadata.continue, undefined);
    const exact = await json<List>(
      `${maps}?resourceVersion=${first.metadata.resourceVersion}&resourceVersionMatch=Exact`,
    );
    assert.deepEqual(names(exact), ['a', 'b', 'c', 'd', 'e']);
    assert.deepEqual(names(await json<List>(maps)), ['a', 'b', 'd', 'e']);
  });

  test('can be selected by labels and fields, and page with a selector', async () => {
    assert.deepEqual(names(await json<List>(`${maps}?labelSelector=odd%3Dtrue`)), ['a', 'e']);
    assert.deepEqual(names(await json<List>(`${maps}?fieldSelector=metadata.name!%3Da`)), ['b', 'd', 'e']);
    assert.deepEqual(names(await json<List>(`/api/v1/configmaps?fieldSelector=metadata.name%3Dd`)), ['d']);
    // A word that is somewhere in the text is not yet a label.
    assert.deepEqual(names(await json<List>(`${maps}?labelSelector=odd%3DConfigMap`)), []);
    assert.deepEqual(names(await json<List>(`${maps}?labelSelector=name%3Da`)), []);
    assert.deepEqual(names(await json<List>(`${maps}?labelSelector=odd`)), ['a', 'b', 'd', 'e']);
    assert.deepEqual(names(await json<List>(`${maps}?labelSelector=!odd`)), []);
    assert.deepEqual(names(await json<List>(`${maps}?labelSelector=odd+in+(true,false)`)), ['a', 'b', 'd', 'e']);
    const page = await json<List>(`${maps}?labelSelector=odd%3Dtrue&limit=1`);
    assert.deepEqual([names(page), page.metadata.remainingItemCount], [['a'], undefined]);
    const rest = await json<List>(`${maps}?labelSelector=odd%3Dtrue&limit=1&continue=${page.metadata.continue}`);
    assert.deepEqual(names(rest), ['e']);
    assert.equal(
      (await json<Status>(`${maps}?fieldSelector=data.name%3Da`)).message,
      'field label not supported: data.name',
    );
  });

  test('come as tables, as metadata and as YAML', async () => {
    const table = await json<{
      kind: string;
      columnDefinitions: { name: string }[];
      rows: { cells: unknown[]; object: KubeObject }[];
    }>(maps, { headers: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' } });
    assert.deepEqual(
      table.columnDefinitions.map(({ name }) => name),
      ['Name', 'Data', 'Age'],
    );
    assert.deepEqual(table.rows[0]?.cells.slice(0, 2), ['a', 1]);
    assert.equal(table.rows[0]?.object.kind, 'PartialObjectMetadata');
    const metadata = await json<List & { kind: string }>(maps, {
      headers: { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io' },
    });
    assert.equal(metadata.kind, 'PartialObjectMetadataList');
    assert.equal(metadata.items[0]?.['data'], undefined);
    assert.match(await (await ask(`${maps}/a`, { headers: { accept: 'application/yaml' } })).text(), /^ {2}name: a$/m);
  });
});

describe('watches', () => {
  test('begin with what is there and mark its end when asked', async () => {
    const query =
      'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&labelSelector=odd%3Dtrue';
    const seen = await events(`${maps}?${query}`, 3);
    assert.deepEqual(
      seen.map(({ type, object }) => `${type} ${object.metadata.name ?? ''}`),
      ['ADDED a', 'ADDED e', 'BOOKMARK '],
    );
    const blueprint = btoa('{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[]}');
    assert.deepEqual(seen[2]?.object.metadata.annotations, {
      'k8s.io/initial-events-end': 'true',
      'kubernetes.io/initial-events-list-blueprint': blueprint,
    });
  });

  test('go on from a version, also as tables with one head', async () => {
    const { metadata } = await json<List>(maps);
    await ask(maps, { method: 'POST', body: { metadata: { name: 'x' } } });
    await ask(`${maps}/x`, { method: 'DELETE' });
    const seen = await events(`${maps}?watch=1&resourceVersion=${metadata.resourceVersion}`, 2);
    assert.deepEqual(
      seen.map(({ type }) => type),
      ['ADDED', 'DELETED'],
    );
    assert.ok(Number(seen[1]!.object.metadata.resourceVersion) > Number(seen[0]!.object.metadata.resourceVersion));
  });

  test('end by themselves after the time that was asked for', async () => {
    const response = await ask(
      `${maps}?watch=1&resourceVersion=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dnobody`,
    );
    assert.equal(await response.text(), '');
  });

  test('from a version that has yet to come are refused', async () => {
    const seen = await events(`${maps}?watch=1&resourceVersion=999999`, 1);
    assert.deepEqual(
      seen.map(({ type, object }) => [type, object['reason']]),
      [['ERROR', 'Timeout']],
    );
  });
});

describe('refusals are Status objects', () => {
  const cases: readonly [what: string, path: string, asked: Asked, code: number, reason: string][] = [
    ['an unknown resource', '/api/v1/lamps', {}, 404, 'NotFound'],
    ['an unknown group', '/apis/example.com/v1/lamps', {}, 404, 'NotFound'],
    ['an unknown path', '/no/such/path', {}, 404, 'NotFound'],
    ['an absent object', `${maps}/nobody`, {}, 404, 'NotFound'],
    ['a subresource that is not served', `${maps}/a/status`, {}, 404, 'NotFound'],
    ['a method without meaning', maps, { method: 'PUT', body: {} }, 405, 'MethodNotAllowed'],
    [
      'an answer nobody can give',
      maps,
      { headers: { accept: 'application/vnd.kubernetes.protobuf' } },
      406,
      'NotAcceptable',
    ],
    [
      'a body in a strange form',
      maps,
      { method: 'POST', body: 'x', headers: { 'content-type': 'text/csv' } },
      415,
      'UnsupportedMediaType',
    ],
    ['a patch in a strange form', `${maps}/a`, { method: 'PATCH', body: {} }, 415, 'UnsupportedMediaType'],
    [
      'a body nested too deeply',
      maps,
      { method: 'POST', body: `{"data":${'['.repeat(9_999)}${']'.repeat(9_999)}}` },
      400,
      'BadRequest',
    ],
    [
      'a patch nested too deeply',
      `${maps}/a`,
      {
        method: 'PATCH',
        headers: { 'content-type': 'application/merge-patch+json' },
        body: '{"a":'.repeat(9_999) + '1' + '}'.repeat(9_999),
      },
      400,
      'BadRequest',
    ],
    ['broken JSON', maps, { method: 'POST', body: '{"a"' }, 400, 'BadRequest'],
    [
      'a body of another kind',
      maps,
      { method: 'POST', body: { kind: 'Secret', apiVersion: 'v1', metadata: { name: 'q' } } },
      400,
      'BadRequest',
    ],
    [
      'a body that is too large',
      maps,
      { method: 'POST', body: 'x'.repeat(3 * 1024 * 1024 + 1) },
      413,
      'RequestEntityTooLarge',
    ],
    ['an invalid object', maps, { method: 'POST', body: { metadata: { name: 'Not A Name' } } }, 422, 'Invalid'],
    ['a second object of a name', maps, { method: 'POST', body: { metadata: { name: 'a' } } }, 409, 'AlreadyExists'],
    [
      'an update from an old version',
      `${maps}/a`,
      { method: 'PUT', body: { metadata: { name: 'a', resourceVersion: '1' } } },
      409,
      'Conflict',
    ],
    ['a stranger', maps, { client: undefined as never }, 403, 'Forbidden'],
    [
      'a token of nobody',
      maps,
      { client: undefined as never, headers: { authorization: 'Bearer nonsense' } },
      401,
      'Unauthorized',
    ],
    ['a bad continue token', `${maps}?limit=1&continue=nonsense`, {}, 400, 'BadRequest'],
    [
      'a namespace that is not there',
      '/api/v1/namespaces/nowhere/configmaps',
      { method: 'POST', body: { metadata: { name: 'q' } } },
      404,
      'NotFound',
    ],
    ['a broken escape', '/api/v1/pods/%zz', {}, 400, 'BadRequest'],
  ];
  for (const [what, path, asked, code, reason] of cases) {
    test(what, async () => {
      const response = await ask(path, 'client' in asked ? { ...asked, client: running.anyone } : asked);
      const status = JSON.parse(await response.text()) as Status;
      assert.deepEqual([response.status, status.kind, status.reason, status.code], [code, 'Status', reason, code]);
    });
  }
});

describe('service account tokens', () => {
  test('speak for their account while it and its pod are there', async () => {
    const api = running.server.localApi(systemUser);
    await api.create(collections.pods, 'default', {
      metadata: { name: 'box' },
      spec: { containers: [{ name: 'main', image: 'busybox' }] },
    });
    const path = '/api/v1/namespaces/default/serviceaccounts/default/token';
    const boundObjectRef = { kind: 'Pod', apiVersion: 'v1', name: 'box' };
    const answer = await json<{ status: { token: string } }>(path, {
      method: 'POST',
      body: { spec: { boundObjectRef } },
    });
    const headers = { authorization: `Bearer ${answer.status.token}` };
    const review = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
    const whoAmI = () => ask(review, { client: running.anyone, method: 'POST', body: {}, headers });
    const { status } = JSON.parse(await (await whoAmI()).text()) as {
      status: { userInfo: { username: string; groups: string[] } };
    };
    assert.equal(status.userInfo.username, 'system:serviceaccount:default:default');
    assert.ok(status.userInfo.groups.includes('system:serviceaccounts:default'));
    const tokenReview = await json<{ status: { authenticated: boolean } }>(
      '/apis/authentication.k8s.io/v1/tokenreviews',
      {
        method: 'POST',
        body: { spec: { token: answer.status.token } },
      },
    );
    assert.equal(tokenReview.status.authenticated, true);
    await api.delete(collections.pods, { namespace: 'default', name: 'box' });
    assert.equal((await whoAmI()).status, 401);
  });
});

describe('roles', () => {
  const role = (verbs: string[]) => ({
    metadata: { name: 'r' },
    rules: [{ apiGroups: [''], resources: ['pods'], verbs }],
  });
  const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles';
  const bindings = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings';
  const bind = (name: string, kind: string, role: string, user: string) => ({
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: role },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: user }],
  });
  const as = { 'impersonate-user': 'anna' };

  test('cannot be given beyond what the giver has', async () => {
    await ask(bindings, { method: 'POST', body: bind('annas', 'ClusterRole', 'admin', 'anna') });
    const refused = await ask(bindings, {
      method: 'POST',
      headers: as,
      body: bind('more', 'ClusterRole', 'cluster-admin', 'anna'),
    });
    assert.equal(refused.status, 403);
    assert.match(await refused.text(), /attempting to grant RBAC permissions not currently held/);
    assert.equal((await ask(roles, { method: 'POST', headers: as, body: role(['escape']) })).status, 403);
    assert.equal((await ask(roles, { method: 'POST', headers: as, body: role(['get']) })).status, 201);
    assert.equal(
      (await ask(bindings, { method: 'POST', headers: as, body: bind('read', 'Role', 'r', 'bert') })).status,
      201,
    );
    assert.equal(
      (await ask('/api/v1/namespaces/default/pods', { headers: { 'impersonate-user': 'bert' } })).status,
      403,
    );
    assert.equal(
      (await ask('/api/v1/namespaces/default/pods/x', { headers: { 'impersonate-user': 'bert' } })).status,
      404,
    );
  });
});

describe('anonymous clients', () => {
  for (const path of ['/healthz', '/livez', '/readyz', '/version']) {
    test(`may read ${path}`, async () => assert.equal((await ask(path, { client: running.anyone })).status, 200));
  }
  test('may read nothing else', async () => {
    for (const path of ['/api', '/apis', '/openapi/v3', '/api/v1/namespaces']) {
      assert.equal((await ask(path, { client: running.anyone })).status, 403);
    }
  });
});

describe('big answers', () => {
  test('are compressed for clients that take it', async () => {
    const response = await ask('/openapi/v2', { headers: { 'accept-encoding': 'gzip' } });
    assert.equal(response.headers['content-encoding'], 'gzip');
    const { swagger } = JSON.parse(gunzipSync(await response.bytes(64 << 20)).toString()) as { swagger: string };
    assert.equal(swagger, '2.0');
  });
});

describe('discovery', () => {
  test('comes aggregated, and is not sent again to whoever has it', async () => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';
    const first = await ask('/apis', { headers: { accept } });
    assert.match(first.headers['content-type']!, /as=APIGroupDiscoveryList/);
    const { items } = JSON.parse(await first.text()) as { items: { metadata: { name: string } }[] };
    assert.ok(items.some(({ metadata }) => metadata.name === 'apps'));
    const again = await ask('/apis', { headers: { accept, 'if-none-match': first.headers['etag']! } });
    assert.deepEqual([again.status, await again.text(), again.headers['content-type']], [304, '', undefined]);
  });

  test('every OpenAPI document refers to nothing that it does not hold', async () => {
    const { paths } = await json<{ paths: Record<string, { serverRelativeURL: string }> }>('/openapi/v3');
    assert.ok(paths['api/v1'] && paths['apis/apps/v1']);
    for (const { serverRelativeURL } of Object.values(paths)) {
      const text = await (await ask(serverRelativeURL)).text(64 << 20);
      const { components } = JSON.parse(text) as { components: { schemas: Record<string, unknown> } };
      for (const [, name] of text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g))
        assert.ok(components.schemas[name!], name);
    }
  });
});
