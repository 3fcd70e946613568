// cloudcore on a real kube-apiserver behaves as on the embedded one: the same daemons, the same edge, another API.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { tracesOf } from './harness/host-traces.ts';
import { httpGet } from './harness/http-get.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { realApiMissing } from './harness/real-api.ts';
import { eventually } from './harness/run.ts';
import { showcase } from './manifests.ts';

interface Pod {
  metadata: { name: string; uid: string };
  status: { podIP: string; phase: string };
}

const missing = realApiMissing();

describe('cloudcore on a real kube-apiserver', { skip: missing ?? false }, () => {
  let parts: Parts;

  before(async () => {
    parts = await createParts('real', { realApi: true });
    try {
      await parts.startAll();
    } catch (error) {
      throw new Error(parts.logs(), { cause: error });
    }
    // What a controller manager would have made.
    await parts.kubectl('create', 'serviceaccount', 'default');
    await parts.kubectl('create', 'configmap', 'kube-root-ca.crt', '--from-literal=ca.crt=-----BEGIN CERTIFICATE-----');
  });

  after(async () => {
    await parts.remove();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  /** There is no scheduler either: the pod names its node. */
  const pinned = (name: string): string =>
    showcase(name, parts.node).replace(
      / {2}nodeSelector: .*\n/,
      `  nodeName: ${parts.node}\n  serviceAccountName: default\n`,
    );

  it('has installed its resource definitions and registered the node', async () => {
    const crds = await parts.kubectl('get', 'crd', '-o', 'name');
    assert.match(crds, /objectsyncs\.reliablesyncs\.kubeedge\.io/);
    assert.match(await parts.kubectl('get', 'node', parts.node), /Ready +agent,edge/);
    assert.match(await parts.kubectl('get', 'lease', '-n', 'kube-node-lease', parts.node), new RegExp(parts.node));
  });

  it('runs a pod with everything it asks for, and keeps a record of what the edge has', async () => {
    await parts.kubectl.apply(pinned('show'));
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/show', '--timeout=60s');
    const { status, metadata } = await parts.kubectl.json<Pod>('get', 'pod', 'show');
    assert.equal(await httpGet(`http://${status.podIP}:8080/data/config/greeting`), 'hello');
    assert.equal(await httpGet(`http://${status.podIP}:8080/data/secret/password`), 'swordfish');
    assert.equal((await httpGet(`http://${status.podIP}:8080/data/all/token`)).split('.').length, 3);
    const record = await parts.kubectl(
      'get',
      'objectsync',
      `${parts.node}.${metadata.uid}`,
      '-o',
      'jsonpath={.status.objectResourceVersion}',
    );
    assert.match(record, /^\d+$/);
  });

  it('brings a changed ConfigMap to the mounted file', async () => {
    await parts.kubectl('patch', 'configmap', 'show', '-p', '{"data":{"greeting":"bonjour"}}');
    const { status } = await parts.kubectl.json<Pod>('get', 'pod', 'show');
    await eventually(
      'the new text',
      async () => (await httpGet(`http://${status.podIP}:8080/data/config/greeting`)) === 'bonjour',
      90_000,
    );
  });

  it('makes up for what happened while cloudcore was away', async () => {
    await parts.end('cloudcore', 'SIGKILL');
    await parts.kubectl.apply(pinned('late'));
    await parts.kubectl('delete', 'pod', 'show', '--wait=false');
    await parts.start('cloudcore');
    await parts.kubectl('wait', '--for=delete', 'pod/show', '--timeout=90s');
    await parts.kubectl('wait', '--for=condition=Ready', 'pod/late', '--timeout=90s');
  });

  it('registers a deleted Node again, with its pods running', async () => {
    await parts.kubectl('delete', 'node', parts.node);
    await parts.waitReady();
    await eventually(
      'the pod to be reported running',
      async () => (await parts.kubectl.json<Pod>('get', 'pod', 'late')).status.phase === 'Running',
    );
  });
});
