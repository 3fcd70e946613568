// What the agent of a node may do: its own Node and pods and what these refer to, and nothing of its neighbours.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import { type GroupVersionResource, isStatus } from '@kedge/model/k8s';
import { startTestServer, type TestServer } from './test-server.ts';

let directory: string;
let running: TestServer;
let system: KubeApi;
const node = (name: string): KubeApi =>
  running.server.localApi({ name: `system:node:${name}`, groups: ['system:nodes', 'system:authenticated'] });

const { configMaps, nodes, pods, secrets, serviceAccounts } = collections;
const forbidden = (error: unknown) => isStatus(error, 'Forbidden');
const inDefault = (name: string) => ({ namespace: 'default', name });

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kedge-nodes-'));
  running = await startTestServer({ directory });
  system = running.server.localApi(systemUser);
  await system.create(serviceAccounts, 'default', { metadata: { name: 'default' } });
  for (const name of ['edge-1', 'edge-2']) await node(name).create(nodes, undefined, { metadata: { name } });
  for (const name of ['mine', 'other']) {
    await system.create(secrets, 'default', { metadata: { name } });
    await system.create(configMaps, 'default', { metadata: { name } });
  }
  for (const [name, nodeName, secretName] of [
    ['here', 'edge-1', 'mine'],
    ['there', 'edge-2', 'other'],
  ] as const) {
    await system.create(pods, 'default', {
      metadata: { name },
      spec: {
        nodeName,
        containers: [{ name: 'main', image: 'busybox', envFrom: [{ configMapRef: { name: secretName } }] }],
        volumes: [{ name: 'v', secret: { secretName } }],
      },
    });
  }
});
after(async () => {
  await running.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('a node', () => {
  test('reads what its pods refer to, and not what others do', async () => {
    await node('edge-1').get(secrets, inDefault('mine'));
    await node('edge-1').get(configMaps, inDefault('mine'));
    await assert.rejects(node('edge-1').get(secrets, inDefault('other')), forbidden);
    await assert.rejects(node('edge-1').get(configMaps, inDefault('other')), forbidden);
    await assert.rejects(node('edge-1').list(secrets, { namespace: 'default' }), forbidden);
  });

  test('writes the status of its own Node and pods only', async () => {
    const status = (api: KubeApi, of: GroupVersionResource, target: { namespace?: string; name: string }) =>
      api.patch(of, { ...target, subresource: 'status' }, 'strategic', '{"status":{"phase":"Running"}}');
    await status(node('edge-1'), pods, inDefault('here'));
    await status(node('edge-1'), nodes, { name: 'edge-1' });
    await assert.rejects(status(node('edge-1'), pods, inDefault('there')), forbidden);
    await assert.rejects(status(node('edge-1'), nodes, { name: 'edge-2' }), forbidden);
  });

  test('gets tokens for the accounts of its pods, and ends pods that are bound to it', async () => {
    const { uid } = (await system.get(pods, inDefault('here'))).metadata;
    const request = (ref?: object) => ({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: { ...(ref ? { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'here', ...ref } } : {}) },
    });
    const subresource = { name: 'default', subresource: 'token' };
    const answer = await node('edge-1').create(serviceAccounts, 'default', request({ uid }), { subresource });
    assert.ok((answer['status'] as { token: string }).token);
    const refused = async (name: string, ref: object | undefined, says: RegExp) =>
      assert.rejects(node(name).create(serviceAccounts, 'default', request(ref), { subresource }), says);
    await refused('edge-3', { uid }, /forbidden/);
    await refused('edge-1', undefined, /token not bound to a pod/);
    await refused('edge-1', {}, /without a uid/);
    await refused('edge-1', { uid: 'other' }, /does not match the UID in record/);
    await refused('edge-2', { uid }, /scheduled on a different node/);
    await assert.rejects(node('edge-1').delete(pods, inDefault('there'), { gracePeriodSeconds: 0 }), forbidden);
    await node('edge-1').delete(pods, inDefault('here'), { gracePeriodSeconds: 0 });
  });

  test('cannot make pods, roles or other nodes', async () => {
    const pod = { metadata: { name: 'x' }, spec: { nodeName: 'edge-1', containers: [{ name: 'a', image: 'b' }] } };
    await assert.rejects(node('edge-1').create(pods, 'default', pod), forbidden);
    await assert.rejects(node('edge-1').create(nodes, undefined, { metadata: { name: 'edge-9' } }), forbidden);
    const role = { group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' };
    await assert.rejects(node('edge-1').create(role, undefined, { metadata: { name: 'r' } }), forbidden);
  });
});
