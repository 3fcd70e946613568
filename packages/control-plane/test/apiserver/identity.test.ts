// Who somebody is to the server: acting as others, joining with a bootstrap token, aggregated roles.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import type { HttpClient } from '@kedge/core/ports';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject, Status } from '@kedge/model/k8s';
import { createHttpClient } from '@kedge/platform/node';
import { startTestServer, type TestServer } from './test-server.ts';

let directory: string;
let running: TestServer;
let api: KubeApi;
let admin: HttpClient;
let anyone: HttpClient;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kedge-identity-'));
  running = await startTestServer({ directory });
  api = running.server.localApi(systemUser);
  const { authority, admin: certificate } = running.server.pki;
  const ca = authority.certificatePem;
  admin = createHttpClient({ tls: { ca, certificate: certificate.certificatePem, key: certificate.key.reveal() } });
  anyone = createHttpClient({ tls: { ca } });
});
after(async () => {
  await admin.close();
  await anyone.close();
  await running.stop();
  await rm(directory, { recursive: true, force: true });
});

const reviews = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
interface Review extends Status {
  status: never;
}
async function ask(client: HttpClient, method: string, path: string, headers = {}, body: object = {}) {
  const response = await client.request({
    method,
    url: `https://127.0.0.1:${running.server.port()}${path}`,
    headers: { 'content-type': 'application/json', ...headers },
    ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
  });
  return { code: response.status, body: JSON.parse(await response.text()) as Review };
}
async function whoAmI(client: HttpClient, headers: object): Promise<unknown> {
  const { code, body } = await ask(client, 'POST', reviews, headers);
  return code === 201 ? (body.status as { userInfo: unknown }).userInfo : body.message;
}

describe('acting as somebody else', () => {
  test('takes name, groups, uid and more', async () => {
    assert.deepEqual(
      await whoAmI(admin, {
        'impersonate-user': 'ann',
        'impersonate-group': 'a,b',
        'impersonate-uid': '42',
        'impersonate-extra-example.com%2fscopes': 'view, edit',
      }),
      {
        username: 'ann',
        uid: '42',
        groups: ['a', 'b', 'system:authenticated'],
        extra: { 'example.com/scopes': ['view', 'edit'] },
      },
    );
    assert.deepEqual(await whoAmI(admin, { 'impersonate-user': 'system:serviceaccount:ns:sa' }), {
      username: 'system:serviceaccount:ns:sa',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
    });
    assert.equal(
      await whoAmI(admin, { 'impersonate-group': 'a', 'impersonate-uid': '1' }),
      'requested groups and uid without impersonating a user',
    );
  });

  test('is a permission for each part', async () => {
    await api.create({ group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' }, undefined, {
      metadata: { name: 'actor' },
      rules: [
        { apiGroups: [''], resources: ['users'], resourceNames: ['bob'], verbs: ['impersonate'] },
        { apiGroups: ['authentication.k8s.io'], resources: ['userextras/scopes'], verbs: ['impersonate'] },
      ],
    });
    await api.create(
      { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterrolebindings' },
      undefined,
      {
        metadata: { name: 'actor' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'actor' },
        subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'actor' }],
      },
    );
    const account = await api.create(collections.serviceAccounts, 'default', { metadata: { name: 'actor' } });
    const { status } = (await api.create(
      collections.serviceAccounts,
      'default',
      { metadata: {}, spec: {} } as KubeObject,
      { subresource: { name: account.metadata.name!, subresource: 'token' } },
    )) as unknown as { status: { token: string } };
    const authorization = `Bearer ${status.token}`;
    assert.deepEqual(
      await whoAmI(anyone, { authorization, 'impersonate-user': 'bob', 'impersonate-extra-scopes': 'x' }),
      {
        username: 'bob',
        groups: ['system:authenticated'],
        extra: { scopes: ['x'] },
      },
    );
    const who = 'User "system:serviceaccount:default:actor" cannot impersonate resource';
    const scope = 'at the cluster scope';
    for (const [headers, says] of [
      [{ 'impersonate-user': 'eve' }, `users "eve" is forbidden: ${who} "users" in API group "" ${scope}`],
      [
        { 'impersonate-user': 'bob', 'impersonate-group': 'g' },
        `groups "g" is forbidden: ${who} "groups" in API group "" ${scope}`,
      ],
      [
        { 'impersonate-user': 'bob', 'impersonate-uid': '1' },
        `uids.authentication.k8s.io "1" is forbidden: ${who} "uids" in API group "authentication.k8s.io" ${scope}`,
      ],
    ] as const) {
      assert.equal(await whoAmI(anyone, { authorization, ...headers }), says);
    }
  });
});

describe('a bootstrap token', () => {
  const secret = (id: string, data: Record<string, string>, type = 'bootstrap.kubernetes.io/token'): KubeObject => ({
    metadata: { name: `bootstrap-token-${id}` },
    type,
    stringData: {
      'token-id': id,
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      ...data,
    },
  });
  const table: [what: string, id: string, data: Record<string, string>, expected: unknown][] = [
    [
      'is a user of its own',
      'aaaaaa',
      { 'auth-extra-groups': 'system:bootstrappers:edge' },
      {
        username: 'system:bootstrap:aaaaaa',
        groups: ['system:bootstrappers', 'system:bootstrappers:edge', 'system:authenticated'],
      },
    ],
    ['runs out', 'bbbbbb', { expiration: '2020-01-01T00:00:00Z' }, 'Unauthorized'],
    ['has to be meant for this', 'cccccc', { 'usage-bootstrap-authentication': 'false' }, 'Unauthorized'],
    ['has to have its secret', 'dddddd', { 'token-secret': 'ffffffffffffffff' }, 'Unauthorized'],
    ['cannot be in any group', 'eeeeee', { 'auth-extra-groups': 'system:masters' }, 'Unauthorized'],
  ];
  for (const [what, id, data, expected] of table) {
    test(what, async () => {
      await api.create(collections.secrets, 'kube-system', secret(id, data));
      assert.deepEqual(await whoAmI(anyone, { authorization: `Bearer ${id}.0123456789abcdef` }), expected);
    });
  }
});

test('a role that aggregates says what it allows as soon as a part of it is written', async () => {
  const of = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' };
  const rule = { apiGroups: ['x.io'], resources: ['things'], verbs: ['get'] };
  const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
  await api.create(of, undefined, { metadata: { name: 'things', labels }, rules: [rule] });
  for (const name of ['view', 'edit', 'admin']) {
    for (;;) {
      const { rules = [] } = (await api.get(of, { name })) as KubeObject & { rules?: object[] };
      if (rules.some((one) => JSON.stringify(one) === JSON.stringify(rule))) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
});
