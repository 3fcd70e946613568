// cloudcore on our own API server, through a kubeconfig and real HTTP: definitions install themselves, twice without
// harm, and a MetaServer's certificate request is approved there.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { clusterObjectSyncs, objectSyncs } from '@kedge/model/kubeedge';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { startTestServer } from '../../packages/control-plane/test/apiserver/test-server.ts';
import { eventually, scratch, startLiveCloud } from './cloud-go-rig.ts';
import { api } from './cloud-rig.ts';

const requests = api('certificatesigningrequests', 'certificates.k8s.io');

/** A request as Go's MetaServer makes it, subject and all. */
async function servingRequest(directory: string): Promise<string> {
  const args = ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  args.push('-keyout', join(directory, 'key.pem'), '-subj', '/O=system:nodes/CN=system:node:e1');
  const { stdout } = await promisify(execFile)('openssl', [...args, '-addext', 'subjectAltName=IP:127.0.0.1']);
  return Buffer.from(stdout).toString('base64');
}

test('cloudcore serves from our API server, and starts again on what it left there', { timeout: 60_000 }, async (t) => {
  const { directory, later } = await scratch(t);
  const server = await startTestServer({ directory: join(directory, 'api') });
  later(() => server.stop());
  const access = await openKubeApi(server.kubeconfigPath, 'kedge-test');
  later(() => access.close());
  const kube = access.api;

  const first = await startLiveCloud(kube, join(directory, 'cloud.log'));
  const token = first.token();
  for (const collection of [objectSyncs, clusterObjectSyncs]) {
    assert.deepEqual((await kube.list(collection)).items, []);
  }
  const sync = (name: string): KubeObject => ({
    apiVersion: 'reliablesyncs.kubeedge.io/v1alpha1',
    kind: 'ObjectSync',
    metadata: { name, namespace: 'default' },
    spec: { objectAPIVersion: 'v1', objectKind: 'Pod', objectName: 'web' },
  });
  await kube.create(objectSyncs, 'default', sync('e1.u-1'));
  const wrong = { ...sync('e1.u-2'), spec: { objectName: 7 } };
  await assert.rejects(kube.create(objectSyncs, 'default', wrong), (error) => isStatus(error, 'Invalid'));
  await first.stop();

  const second = await startLiveCloud(kube, join(directory, 'cloud.log'));
  later(() => second.stop());
  assert.equal(second.token().split('.')[0], token.split('.')[0]);

  const spec = {
    request: await servingRequest(directory),
    signerName: 'kubernetes.io/kubelet-serving',
    usages: ['digital signature', 'key encipherment', 'server auth'],
  };
  const csr = (name: string, signerName: string): KubeObject => ({
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name },
    spec: { ...spec, signerName },
  });
  await kube.create(requests, undefined, csr('somebody-else', 'example.com/signer'));
  await kube.create(requests, undefined, csr('metaserver-csr-1', spec.signerName));
  const conditions = async (name: string) => {
    const { status } = await kube.get(requests, { name });
    return ((status as { conditions?: { type: string }[] } | undefined)?.conditions ?? []).map(({ type }) => type);
  };
  await eventually('approval', 10_000, async () => (await conditions('metaserver-csr-1')).includes('Approved'));
  assert.deepEqual(await conditions('somebody-else'), []);
});
