// Everything else an edge may ask or report, answered from an API in memory.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seconds, toMicroTime } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import type { RawMessage } from '@kedge/model/messages';
import { createKeys } from '@kedge/platform/node';
import { api, boundPod, edgeNode, settle, startCloud } from './cloud-rig.ts';

const pods = api('pods');
const nodes = api('nodes');
const keys = createKeys();

const reasonOf = (answer: RawMessage | undefined): unknown => {
  const content = answer!.content as { ErrStatus?: { reason: string }; Err?: { ErrStatus: { reason: string } } | null };
  return content.ErrStatus?.reason ?? content.Err?.ErrStatus.reason;
};
const objectOf = (answer: RawMessage | undefined): KubeObject => (answer!.content as { Object: KubeObject }).Object;

test('a node registers with its labels, but for those of a control plane', async (t) => {
  const cloud = await startCloud(t);
  const edge = cloud.dial('e1');
  const wanted = edgeNode('e1');
  wanted.metadata.labels = { ...wanted.metadata.labels, 'node-role.kubernetes.io/control-plane': '', zone: 'a' };
  const created = objectOf(await edge.ask('insert', 'default/node/e1', wanted));
  assert.deepEqual(created.metadata.labels, {
    'node-role.kubernetes.io/edge': '',
    'node-role.kubernetes.io/agent': '',
    'kubernetes.io/hostname': 'e1',
    zone: 'a',
  });
  assert.equal(created.metadata.annotations?.['cloudcore'], '192.0.2.2');
  assert.ok(cloud.logged.some(({ sentence }) => sentence === 'edge may not label itself a control plane'));
});

test('what an edge has been answered about its Node is never taken back by an older copy', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1');
  const patched = await edge.ask('patch', 'default/nodepatch/e1', '{"status":{"phase":"Running"}}');
  const read = await edge.ask('query', 'default/node/e1');
  assert.equal(read!.header.resourceversion, patched!.header.resourceversion);
});

test('both spellings of a Node’s address are taken, and each is answered with its own', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1');
  for (const address of ['default/node/e1', 'null/node/e1']) {
    assert.equal((await edge.ask('query', address))!.route.resource, address);
  }
});

test('a node reads nothing of another node', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e2'));
  const pod = await cloud.kube.create(pods, 'default', boundPod('db', 'e2'));
  const edge = cloud.dial('e1');
  assert.equal(reasonOf(await edge.ask('query', 'default/node/e2')), 'Forbidden');
  assert.equal(reasonOf(await edge.ask('query', 'kube-node-lease/lease/e2')), 'Forbidden');
  const patch = JSON.stringify({ metadata: { uid: pod.metadata.uid }, status: { phase: 'Failed' } });
  assert.equal(reasonOf(await edge.ask('patch', 'default/podpatch/db', patch)), 'Forbidden');
  assert.equal(reasonOf(await edge.ask('delete', 'default/pod/db', {})), 'Forbidden');
  assert.equal((await edge.ask('query', 'default/secret/any'))!.route.operation, 'error');
  assert.deepEqual((await cloud.kube.get(pods, { namespace: 'default', name: 'db' })).metadata.uid, pod.metadata.uid);
  assert.ok(cloud.logged.some(({ sentence }) => sentence === 'request of a node refused'));
});

test('with authorization turned off a node may, as with upstream', async (t) => {
  const cloud = await startCloud(t, { config: { authorization: 'off' } });
  await cloud.kube.create(nodes, undefined, edgeNode('e2'));
  const edge = cloud.dial('e1');
  assert.equal(((await edge.ask('query', 'default/node/e2'))!.content as KubeObject).kind, 'Node');
});

test('authorization that only logs lets a node have what it would be refused, and says so', async (t) => {
  const cloud = await startCloud(t, { config: { authorization: 'log' } });
  await cloud.kube.create(nodes, undefined, edgeNode('e2'));
  const edge = cloud.dial('e1');
  assert.equal(((await edge.ask('query', 'default/node/e2'))!.content as KubeObject).kind, 'Node');
  assert.ok(cloud.logged.some(({ sentence }) => sentence === 'request of a node would be refused'));
});

test('a token is given for a pod of the node, bound to that pod', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: 'default' } };
  await cloud.kube.create(api('serviceaccounts'), 'default', account);
  const pod = await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  const edge = cloud.dial('e1');
  await settle();
  const request = (uid: string | undefined) => ({
    metadata: { creationTimestamp: null },
    spec: {
      audiences: null,
      expirationSeconds: 3607,
      boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'web', uid },
    },
  });
  const ask = (uid: string | undefined) => edge.ask('query', 'default/serviceaccounttoken/default', request(uid));
  const given = (await ask(pod.metadata.uid))!.content as KubeObject;
  assert.equal(given.kind, 'TokenRequest');
  assert.ok((given['status'] as { token: string }).token);
  assert.equal(reasonOf(await ask('another')), 'Forbidden');
});

test('claims and volumes are read by the node that uses them', async (t) => {
  const cloud = await startCloud(t);
  for (const name of ['e1', 'e2']) await cloud.kube.create(nodes, undefined, edgeNode(name));
  const claim = {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: 'data', namespace: 'default' },
    spec: {},
  };
  await cloud.kube.create(api('persistentvolumeclaims'), 'default', claim);
  const spec = { claimRef: { namespace: 'default', name: 'data' } };
  await cloud.kube.create(api('persistentvolumes'), undefined, {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'pv' },
    spec,
  });
  const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }];
  await cloud.kube.create(pods, 'default', boundPod('web', 'e1', { volumes }));
  const [one, two] = [cloud.dial('e1'), cloud.dial('e2')];
  await settle();
  for (const address of ['default/persistentvolumeclaim/data', 'null/persistentvolume/pv']) {
    assert.ok(((await one.ask('query', address))!.content as KubeObject).metadata.uid, address);
    assert.equal((await two.ask('query', address))!.route.operation, 'error', address);
  }
});

test('a MetaServer’s certificate request is taken from its node, and approved', async (t) => {
  const cloud = await startCloud(t);
  const requests = api('certificatesigningrequests', 'certificates.k8s.io');
  const edge = cloud.dial('e1');
  const csr = (commonName: string, group = 'system:nodes', signer = 'kubelet-serving'): KubeObject => {
    const subject = { commonName, organizations: [group] };
    const pem = keys.toPem('CERTIFICATE REQUEST', keys.createRequest(keys.createPrivateKey(), subject));
    const usages = ['digital signature', 'key encipherment', 'server auth'];
    const spec = { request: Buffer.from(pem).toString('base64'), signerName: `kubernetes.io/${signer}`, usages };
    return { metadata: { name: 'metaserver-csr-1' }, spec };
  };
  const address = 'default/certificatesigningrequest/metaserver-csr-1';
  assert.equal(reasonOf(await edge.ask('insert', address, csr('system:node:e2'))), 'Forbidden');
  for (const greedy of [
    csr('system:node:e1', 'system:masters'),
    csr('system:node:e1', 'system:nodes', 'legacy-unknown'),
  ]) {
    assert.equal(reasonOf(await edge.ask('insert', address, greedy)), 'Forbidden');
  }
  assert.equal(reasonOf(await edge.ask('insert', address, { metadata: { name: 'metaserver-csr-1' } })), 'BadRequest');
  assert.equal(objectOf(await edge.ask('insert', address, csr('system:node:e1'))).metadata.name, 'metaserver-csr-1');
  assert.equal(((await edge.ask('query', address))!.content as KubeObject).kind, 'CertificateSigningRequest');
  // It names no host, so it is taken but not approved.
  await settle();
  const stored = await cloud.kube.get(requests, { name: 'metaserver-csr-1' });
  assert.equal((stored['status'] as { conditions?: unknown[] } | undefined)?.conditions, undefined);
});

test('events about a node’s own things are written, others are not', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  const edge = cloud.dial('e1');
  await settle();
  const event = (name: string, about: string): KubeObject => ({
    metadata: { name, namespace: 'default' },
    reason: 'Started',
    involvedObject: { kind: 'Pod', namespace: 'default', name: about },
    source: { component: 'kubelet', host: 'e1' },
  });
  await cloud.kube.create(pods, 'default', boundPod('db', 'e2'));
  assert.equal(await edge.ask('insert', 'default/event/web.1', event('web.1', 'web')), undefined);
  await edge.ask('insert', 'default/event/db.1', event('db.1', 'db'));
  await edge.ask('patch', 'default/event/web.1', { event: event('web.1', 'web'), patchData: '{"count":2}' });
  const { items } = await cloud.kube.list(api('events'));
  assert.deepEqual(
    items.map(({ metadata, count }) => [metadata.name, count]),
    [['web.1', 2]],
  );
});

test('the reports of old edges are carried out', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const pod = await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  const edge = cloud.dial('e1');
  await settle();
  const report = { UID: pod.metadata.uid, Name: 'web', Status: { phase: 'Running' } };
  assert.equal((await edge.ask('update', 'default/podstatus/web', report))!.content, 'OK');
  const stored = await cloud.kube.get(pods, { namespace: 'default', name: 'web' });
  assert.equal((stored['status'] as { phase: string }).phase, 'Running');
  await edge.ask('update', 'default/podstatus/ghost', { UID: 'u', Name: 'ghost', Status: {} });
  assert.equal(edge.pushes().at(-1)!.route.operation, 'delete');
});

test('the CA of the API is given in PEM', async (t) => {
  const cloud = await startCloud(t);
  const edge = cloud.dial('e1');
  const answer = await edge.ask('query', 'k8s/ca.crt');
  assert.match(answer!.content as string, /BEGIN CERTIFICATE/);
  assert.equal(answer!.route.source, 'cloudhub');
});

test('the keepalives of an edge of ours renew its Lease', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1', { headers: { 'kedge-link': '1' } });
  for (let i = 0; i < 3; i++) {
    await cloud.clock.advance(seconds(10));
    await edge.sendText('[[0]]');
    await settle();
    const leases = api('leases', 'coordination.k8s.io');
    const lease = await cloud.kube.get(leases, { namespace: 'kube-node-lease', name: 'e1' });
    const spec = lease['spec'] as { renewTime: string; holderIdentity: string };
    assert.deepEqual([spec.renewTime, spec.holderIdentity], [toMicroTime(cloud.clock.now()), 'e1']);
  }
});

test('an API that fails is reported to the edge that asked, and the session goes on', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1');
  await settle();
  cloud.kube.failNext('patch', 'nodes', new Error('connection refused'));
  const failed = await edge.ask('patch', 'default/nodepatch/e1', '{}');
  assert.equal(reasonOf(failed), 'InternalError');
  assert.equal(reasonOf(await edge.ask('patch', 'default/nodepatch/e1', '{}')), undefined);
  assert.equal(edge.isClosed(), false);
});

test('a node that asks faster than the API answers is told to come again, and its keepalives count', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const edge = cloud.dial('e1');
  await settle();
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  const { get } = cloud.kube;
  cloud.kube.get = async (...call) => {
    await gate;
    return get(...call);
  };
  const address = (n: number) => `default/certificatesigningrequest/metaserver-csr-${n}`;
  for (let n = 0; n < 600; n++) {
    const header = { msg_id: `q-${n}`, timestamp: 0 };
    const route = { source: 'edged', group: 'meta', operation: 'query', resource: address(n) };
    await edge.send({ header, route, content: null });
  }
  await settle();
  assert.equal(edge.received.length, 600 - 512);
  assert.equal(reasonOf(edge.received[0]), 'TooManyRequests');
  for (let i = 0; i < 4; i++) {
    await cloud.keepAlive(edge);
    await cloud.clock.advance(seconds(20));
  }
  assert.equal(edge.isClosed(), false);
  release();
  await settle();
  assert.equal(edge.received.length, 600);
});

test('a node learns of the services around its pods, as far as environments name them', async (t) => {
  const cloud = await startCloud(t);
  await cloud.kube.create(nodes, undefined, edgeNode('e1'));
  const make = (namespace: string, name: string, spec: object) =>
    cloud.kube.create(api('services'), namespace, {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace, labels: { some: 'label' } },
      spec,
    });
  await make('default', 'db', {
    clusterIP: '10.0.0.9',
    ports: [{ name: 'sql', port: 5432, protocol: 'TCP', nodePort: 1 }],
  });
  await make('default', 'headless', { clusterIP: 'None', ports: [{ port: 1 }] });
  await make('default', 'alias', { type: 'ExternalName', externalName: 'example.com' });
  await make('default', 'kubernetes', { clusterIP: '10.0.0.1', ports: [{ name: 'https', port: 443 }] });
  await make('shop', 'dns', { clusterIP: '10.0.0.10', ports: [{ port: 53, protocol: 'UDP' }] });
  await cloud.kube.create(pods, 'shop', { ...boundPod('web', 'e1'), metadata: { name: 'web', namespace: 'shop' } });
  const edge = cloud.dial('e1');
  await settle();
  const master = {
    metadata: { name: 'kubernetes', namespace: 'default' },
    spec: { clusterIP: '10.0.0.1', ports: [{ name: 'https', port: 443 }] },
  };
  const dns = {
    metadata: { name: 'dns', namespace: 'shop' },
    spec: { clusterIP: '10.0.0.10', ports: [{ port: 53, protocol: 'UDP' }] },
  };
  assert.deepEqual((await edge.ask('query', 'shop/servicelist/all'))!.content, {
    apiVersion: 'v1',
    kind: 'ServiceList',
    metadata: {},
    items: [master, dns],
  });
  assert.equal(reasonOf(await edge.ask('query', 'default/servicelist/all')), 'Forbidden');
  await cloud.kube.create(pods, 'default', boundPod('web', 'e1'));
  await settle();
  const { items } = (await edge.ask('query', 'default/servicelist/all'))!.content as { items: KubeObject[] };
  assert.deepEqual(items.map(({ metadata }) => metadata.name).sort(), ['db', 'kubernetes']);
});
