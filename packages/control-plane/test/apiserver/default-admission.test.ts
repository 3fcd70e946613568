// What every cluster does to objects on their way in, beside what has tests of its own: new nodes, claims and volumes.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import type { Node } from '@kedge/model/k8s-types';
import { refusal } from './refusal.ts';
import { type OpenServer, openTestServer } from './test-server.ts';

const claims = { group: '', version: 'v1', resource: 'persistentvolumeclaims' };
const volumes = { group: '', version: 'v1', resource: 'persistentvolumes' };
const classes = { group: 'storage.k8s.io', version: 'v1', resource: 'storageclasses' };

let running: OpenServer;
let api: KubeApi;
before(async () => {
  running = await openTestServer('admission');
  ({ api } = running);
});
after(() => running.stop());

test('a new node takes no pods before it has said how it is', async () => {
  const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
  const taints = async (name: string, given?: object[]): Promise<unknown> => {
    const node = await api.create(collections.nodes, undefined, {
      metadata: { name },
      ...(given ? { spec: { taints: given } } : {}),
    });
    return (node as unknown as Node).spec?.taints;
  };
  assert.deepEqual(await taints('bare'), [notReady]);
  assert.deepEqual(await taints('told', [notReady]), [notReady]);
  const own = { key: 'rack', value: 'dusty', effect: 'NoExecute' };
  assert.deepEqual(await taints('own', [own]), [own, notReady]);
});

const claim = (name: string, storageClassName: string): KubeObject => ({
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], storageClassName, resources: { requests: { storage: '1Gi' } } },
});

test('claims and volumes are born with the finalizer that keeps them while they are used', async () => {
  const made = await api.create(claims, 'default', claim('kept', ''));
  assert.deepEqual(made.metadata.finalizers, ['kubernetes.io/pvc-protection']);
  const volume = await api.create(volumes, undefined, {
    metadata: { name: 'kept', finalizers: ['example.com/own'] },
    spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } },
  });
  assert.deepEqual(volume.metadata.finalizers, ['example.com/own', 'kubernetes.io/pv-protection']);
});

test('a claim grows when it is bound and its storage class lets it, and not otherwise', async () => {
  for (const [name, allowVolumeExpansion] of [
    ['stiff', false],
    ['elastic', true],
  ] as const)
    await api.create(classes, undefined, { metadata: { name }, provisioner: 'x.example.com/y', allowVolumeExpansion });
  const grow = (name: string) =>
    api.patch(claims, { namespace: 'default', name }, 'merge', '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}');
  for (const name of ['stiff', 'elastic']) {
    await api.create(claims, 'default', claim(name, name));
    assert.equal((await refusal(grow(name))).code, 422, 'not before it is bound');
    const status = { namespace: 'default', name, subresource: 'status' };
    await api.patch(claims, status, 'merge', '{"status":{"phase":"Bound"}}');
  }
  const { code, message } = await refusal(grow('stiff'));
  assert.equal(code, 403);
  assert.match(message!, /"stiff" is forbidden: only dynamically provisioned pvc can be resized and the storageclass/);
  await grow('elastic');
});
