// Who somebody is to the server: acting as others, joining with a bootstrap token, aggregated roles.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import type { HttpClient } from '@kedge/core/ports';
import { collections } from '@kedge/engine/kube-client';
import type { KubeObject, Status } from '@kedge/model/k8s';
import { type OpenServer, openTestServer } from './test-server.ts';

let running: OpenServer;
before(async () => {
  running = await openTestServer('identity');
});
after(() => running.stop());

const reviews = '/apis/authentication.k8s.io/v1/selfsubjectreviews';
interface Review extends Status {
  status: never;
}
async function ask(client: HttpClient, method: string, path: string, headers = {}, body: object = {}) {
  const response = await client.request({
    method,
    url: running.url(path),
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
      await whoAmI(running.admin, {
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
    assert.deepEqual(await whoAmI(running.admin, { 'impersonate-user': 'system:serviceaccount:ns:sa' }), {
      username: 'system:serviceaccount:ns:sa',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'],
    });
    assert.equal(
      await whoAmI(running.admin, { 'impersonate-group': 'a', 'impersonate-uid': '1' }),
      'requested groups and uid without impersonating a user',
    );
  });

  test('is a permission for each part', async () => {
    await running.api.create(
      { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' },
      undefined,
      {
        metadata: { name: 'actor' },
        rules: [
          { apiGroups: [''], resources: ['users'], resourceNames: ['bob'], verbs: ['impersonate'] },
          { apiGroups: ['authentication.k8s.io'], resources: ['userextras/scopes'], verbs: ['impersonate'] },
        ],
      },
    );
    await running.api.create(
      { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterrolebindings' },
      undefined,
      {
        metadata: { name: 'actor' },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'actor' },
        subjects: [{ kind: 'ServiceAccount', namespace: 'default', name: 'actor' }],
      },
    );
    const account = await running.api.create(collections.serviceAccounts, 'default', { metadata: { name: 'actor' } });
    const { status } = (await running.api.create(
      collections.serviceAccounts,
      'default',
      { metadata: {}, spec: {} } as KubeObject,
      { subresource: { name: account.metadata.name!, subresource: 'token' } },
    )) as unknown as { status: { token: string } };
    const authorization = `Bearer ${status.token}`;
    assert.deepEqual(
      await whoAmI(running.anyone, { authorization, 'impersonate-user': 'bob', 'impersonate-extra-scopes': 'x' }),
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
      assert.equal(await whoAmI(running.anyone, { authorization, ...headers }), says);
    }
  });
});

describe('a service account token', () => {
  interface Document {
    issuer: string;
    jwks_uri: string;
    id_token_signing_alg_values_supported: string[];
  }
  const discovery = '/.well-known/openid-configuration';
  async function tokenOf(name: string, audience: string): Promise<string> {
    await running.api.create(collections.serviceAccounts, 'default', { metadata: { name } });
    const request = { metadata: {}, spec: { audiences: [audience] } };
    const at = { subresource: { name, subresource: 'token' } };
    const { status } = await running.api.create(collections.serviceAccounts, 'default', request, at);
    return (status as { token: string }).token;
  }

  test('can be checked by others, who find the issuer’s keys by way of its discovery document', async () => {
    const token = await tokenOf('prover', 'vault');
    const get = async (url: string) =>
      running.anyone.request({
        method: 'GET',
        url,
        headers: { authorization: `Bearer ${await tokenOf(`reader-${url.length}`, issuer)}` },
      });
    const issuer = 'https://kubernetes.default.svc.cluster.local';
    const document = await get(running.url(discovery));
    assert.deepEqual([document.status, document.headers['cache-control']], [200, 'public, max-age=3600']);
    const found = JSON.parse(await document.text()) as Document;
    assert.deepEqual(
      [found.issuer, found.id_token_signing_alg_values_supported, found.jwks_uri],
      [issuer, ['ES256'], running.url('/openid/v1/jwks')],
    );
    const keys = await get(found.jwks_uri);
    assert.equal(keys.headers['content-type'], 'application/jwk-set+json');
    const keySet = createLocalJWKSet(JSON.parse(await keys.text()) as JSONWebKeySet);
    const { payload } = await jwtVerify(token, keySet, { issuer, audience: 'vault' });
    assert.equal(payload.sub, 'system:serviceaccount:default:prover');
  });

  test('is checked with keys that service accounts may read, and strangers not', async () => {
    for (const path of [discovery, '/openid/v1/jwks']) {
      const asked = await running.anyone.request({ method: 'GET', url: running.url(path) });
      assert.equal(asked.status, 403);
      await asked.text();
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
      await running.api.create(collections.secrets, 'kube-system', secret(id, data));
      assert.deepEqual(await whoAmI(running.anyone, { authorization: `Bearer ${id}.0123456789abcdef` }), expected);
    });
  }
});

test('a role that aggregates says what it allows as soon as a part of it is written', async () => {
  const of = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' };
  const rule = { apiGroups: ['x.io'], resources: ['things'], verbs: ['get'] };
  const labels = { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' };
  await running.api.create(of, undefined, { metadata: { name: 'things', labels }, rules: [rule] });
  for (const name of ['view', 'edit', 'admin']) {
    for (;;) {
      const { rules = [] } = (await running.api.get(of, { name })) as KubeObject & { rules?: object[] };
      if (rules.some((one) => JSON.stringify(one) === JSON.stringify(rule))) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
});
