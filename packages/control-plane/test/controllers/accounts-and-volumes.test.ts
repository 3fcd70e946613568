// What hangs on accounts, tokens and volumes, over our own API server.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import { minutes, plus, toTime } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import type { PersistentVolume, PersistentVolumeClaim, Secret } from '@kedge/model/k8s-types';
import { startTestServer, type TestServer } from '../apiserver/test-server.ts';
import { template } from './builders.ts';
import { Cluster } from './cluster.ts';

const {
  configMaps,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  replicationControllers,
  secrets,
  serviceAccounts,
  storageClasses,
} = collections;
const root = await mkdtemp(join(tmpdir(), 'kedge-accounts-'));
let server: TestServer;
let cluster: Cluster;
before(async () => {
  server = await startTestServer({ directory: root });
  cluster = await new Cluster({ api: () => server.server.localApi(systemUser) }).start();
  await cluster.eventually(async () => void (await cluster.get(serviceAccounts, 'default')));
});
after(async () => {
  await cluster.stop();
  await server.stop();
  await rm(root, { recursive: true, force: true });
});

const isGone = async (work: Promise<unknown>): Promise<void> =>
  assert.rejects(work, (error) => isStatus(error, 'NotFound'));

test('a token Secret is filled with a token of its account, and goes with the account', async () => {
  await cluster.apply(serviceAccounts, { metadata: { name: 'robot' } });
  const token = (name: string, account: string): Secret => ({
    metadata: { name, annotations: { 'kubernetes.io/service-account.name': account } },
    type: 'kubernetes.io/service-account-token',
  });
  await cluster.apply(secrets, token('robot-token', 'robot'));
  await cluster.apply(secrets, token('nobody-token', 'nobody')).catch(() => undefined);
  await cluster.eventually(async () => {
    const { data = {}, metadata } = await cluster.get(secrets, 'robot-token');
    const { uid } = (await cluster.get(serviceAccounts, 'robot')).metadata;
    assert.equal(metadata.annotations?.['kubernetes.io/service-account.uid'], uid);
    assert.deepEqual([atob(data['ca.crt']!), atob(data['namespace']!)], ['CA', 'default']);
    const review = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      metadata: {},
      spec: { token: atob(data['token']!) },
    };
    const reviews = { group: 'authentication.k8s.io', version: 'v1', resource: 'tokenreviews' };
    const { status } = (await cluster.api.create(reviews, undefined, review)) as { status?: object };
    assert.equal((status as { user: { username: string } }).user.username, 'system:serviceaccount:default:robot');
  });
  await cluster.eventually(() => isGone(cluster.get(secrets, 'nobody-token')));
  await cluster.api.delete(serviceAccounts, { namespace: 'default', name: 'robot' });
  await cluster.eventually(() => isGone(cluster.get(secrets, 'robot-token')));
});

test('bootstrap tokens sign cluster-info, and end', async () => {
  await cluster.apply(collections.namespaces, { metadata: { name: 'kube-public' } }, '').catch(() => undefined);
  const kubeconfig = 'clusters: []';
  await cluster.apply(configMaps, { metadata: { name: 'cluster-info' }, data: { kubeconfig } }, 'kube-public');
  const data = Object.entries({
    'token-id': 'abcdef',
    'token-secret': '0123456789abcdef',
    'usage-bootstrap-signing': 'true',
    expiration: toTime(plus(cluster.clock.now(), minutes(30))),
  }).map(([name, value]) => [name, btoa(value)]);
  await cluster.apply(
    secrets,
    {
      metadata: { name: 'bootstrap-token-abcdef' },
      type: 'bootstrap.kubernetes.io/token',
      data: Object.fromEntries(data),
    },
    'kube-system',
  );
  await cluster.eventually(async () => {
    const info = await cluster.get(configMaps, 'cluster-info', 'kube-public');
    const [head, empty, signature] = info.data!['jws-kubeconfig-abcdef']!.split('.');
    assert.deepEqual(JSON.parse(atob(head!)), { alg: 'HS256', kid: 'abcdef' });
    const hmac = createHmac('sha256', '0123456789abcdef');
    hmac.update(`${head}.${Buffer.from(kubeconfig).toString('base64url')}`);
    assert.deepEqual([empty, signature], ['', hmac.digest('base64url')]);
  });
  await cluster.clock.advance(minutes(31));
  await cluster.eventually(async () => {
    await isGone(cluster.get(secrets, 'bootstrap-token-abcdef', 'kube-system'));
    const info = await cluster.get(configMaps, 'cluster-info', 'kube-public');
    assert.deepEqual(Object.keys(info.data!), ['kubeconfig']);
  });
});

test('a ReplicationController keeps its pods like a ReplicaSet', async () => {
  await cluster.apply(replicationControllers, {
    metadata: { name: 'old' },
    spec: { replicas: 2, selector: { app: 'old' }, template: template('old') },
  });
  await cluster.eventually(async () => {
    await cluster.runPods();
    const { status } = await cluster.get(replicationControllers, 'old');
    assert.deepEqual([status?.replicas, status?.readyReplicas], [2, 2]);
  });
  const [first] = await cluster.list(pods);
  assert.equal(first!.metadata.ownerReferences?.[0]?.kind, 'ReplicationController');
  await cluster.patch(replicationControllers, 'old', { spec: { replicas: 0 } });
  await cluster.eventually(async () => {
    await cluster.runPods();
    assert.deepEqual(await cluster.list(pods), []);
  });
});

const volume = (name: string, storage: string, more: PersistentVolume['spec'] = {}): PersistentVolume => ({
  metadata: { name },
  spec: { capacity: { storage }, accessModes: ['ReadWriteOnce'], hostPath: { path: `/data/${name}` }, ...more },
});
const claim = (name: string, storage: string, more: PersistentVolumeClaim['spec'] = {}): PersistentVolumeClaim => ({
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, ...more },
});

test('a claim gets the smallest volume that fits, keeps it from going, and gives it up', async () => {
  await cluster.apply(persistentVolumes, volume('small', '1Gi'), '');
  await cluster.apply(persistentVolumes, volume('big', '10Gi'), '');
  await cluster.apply(persistentVolumes, volume('middle', '5Gi'), '');
  await cluster.eventually(async () =>
    assert.equal((await cluster.get(persistentVolumes, 'big', '')).status?.phase, 'Available'),
  );
  await cluster.apply(persistentVolumeClaims, claim('data', '2Gi'));
  await cluster.eventually(async () => {
    const bound = await cluster.get(persistentVolumeClaims, 'data');
    assert.deepEqual([bound.status?.phase, bound.spec?.volumeName], ['Bound', 'middle']);
    assert.deepEqual(bound.status?.capacity, { storage: '5Gi' });
    assert.equal((await cluster.get(persistentVolumes, 'middle', '')).status?.phase, 'Bound');
    assert.deepEqual(bound.metadata.finalizers, ['kubernetes.io/pvc-protection']);
  });
  const volumes = [{ name: 'd', persistentVolumeClaim: { claimName: 'data' } }];
  await cluster.apply(pods, { metadata: { name: 'user' }, spec: { ...template('x').spec!, nodeName: 'e1', volumes } });
  await cluster.settle();
  await cluster.api.delete(persistentVolumeClaims, { namespace: 'default', name: 'data' });
  await cluster.api.delete(persistentVolumes, { name: 'middle' });
  await cluster.settle();
  assert.ok((await cluster.get(persistentVolumeClaims, 'data')).metadata.deletionTimestamp, 'the pod holds it');
  assert.ok((await cluster.get(persistentVolumes, 'middle', '')).metadata.deletionTimestamp, 'the claim holds it');
  await cluster.api.delete(pods, { namespace: 'default', name: 'user' }, { gracePeriodSeconds: 0 });
  await cluster.eventually(() => isGone(cluster.get(persistentVolumeClaims, 'data')));
  await cluster.eventually(() => isGone(cluster.get(persistentVolumes, 'middle', '')));
});

test('a claim without a volume says what it waits for', async () => {
  await cluster.apply(persistentVolumeClaims, claim('huge', '100Gi'));
  await cluster.apply(
    storageClasses,
    { metadata: { name: 'late' }, provisioner: 'example.com/disk', volumeBindingMode: 'WaitForFirstConsumer' },
    '',
  );
  await cluster.apply(persistentVolumeClaims, claim('later', '1Gi', { storageClassName: 'late' }));
  await cluster.eventually(async () => {
    assert.deepEqual(await cluster.eventsAbout('huge'), [
      'FailedBinding: no persistent volumes available for this claim and no storage class is set',
    ]);
    assert.deepEqual(await cluster.eventsAbout('later'), [
      'WaitForFirstConsumer: waiting for first consumer to be created before binding',
    ]);
  });
  await cluster.patch(persistentVolumeClaims, 'later', {
    metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'e1' } },
  });
  await cluster.eventually(async () => {
    const { metadata } = await cluster.get(persistentVolumeClaims, 'later');
    assert.equal(metadata.annotations?.['volume.kubernetes.io/storage-provisioner'], 'example.com/disk');
  });
  // What the provisioner makes names its claim.
  const claimRef = { namespace: 'default', name: 'later' };
  await cluster.apply(persistentVolumes, volume('made', '1Gi', { storageClassName: 'late', claimRef }), '');
  await cluster.eventually(async () =>
    assert.equal((await cluster.get(persistentVolumeClaims, 'later')).spec?.volumeName, 'made'),
  );
});

test('a pod brings its own claim along, and takes it with it', async () => {
  const volumeClaimTemplate = { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } } };
  await cluster.apply(pods, {
    metadata: { name: 'scratchy' },
    spec: { ...template('x').spec!, volumes: [{ name: 'tmp', ephemeral: { volumeClaimTemplate } }] },
  });
  await cluster.eventually(async () => {
    const made = await cluster.get(persistentVolumeClaims, 'scratchy-tmp');
    assert.equal(made.metadata.ownerReferences?.[0]?.name, 'scratchy');
  });
  await cluster.api.delete(pods, { namespace: 'default', name: 'scratchy' });
  await cluster.eventually(() => isGone(cluster.get(persistentVolumeClaims, 'scratchy-tmp')));
});

test('Endpoints that a person keeps are mirrored for whoever looks at slices only', async () => {
  const spec = { ports: [{ port: 80 }] };
  await cluster.apply(collections.services, { metadata: { name: 'outside' }, spec });
  const subsets = [{ addresses: [{ ip: '192.0.2.1' }], ports: [{ port: 8080 }] }];
  await cluster.apply(collections.endpoints, { metadata: { name: 'outside' }, subsets });
  const slices = async () =>
    (await cluster.list(collections.endpointSlices, 'default')).filter(
      ({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'outside',
    );
  await cluster.eventually(async () => {
    assert.deepEqual(
      (await slices()).map(({ endpoints }) => endpoints[0]?.addresses),
      [['192.0.2.1']],
    );
  });
  await cluster.api.delete(collections.endpoints, { namespace: 'default', name: 'outside' });
  await cluster.eventually(async () => assert.deepEqual(await slices(), []));
});
