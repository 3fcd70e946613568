// Our API and our edge with Go programs between them: kube-controller-manager makes the pods of a Deployment,
// kube-scheduler binds them, a Go cloudcore brings them to our edgecore. The API is killed on the way.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { installCloudCoreDefinitions } from '../interop/peers/cloudcore-definitions.ts';
import { findPeer, type GoCloudCore, startGoCloudCore } from '../interop/peers/go-cloudcore.ts';
import { type GoControlPlane, goControlPlaneMissing, startGoControlPlane } from '../interop/peers/go-control-plane.ts';
import { tracesOf } from './harness/host-traces.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';

const cloudcore = findPeer('cloudcore-v1.22.2');
const missing = 'missing' in cloudcore ? cloudcore.missing : goControlPlaneMissing();

const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - { name: main, image: docker.io/library/busybox:1.35, imagePullPolicy: IfNotPresent, command: [sleep, "1000"] }
`;

describe('our API and edge with a Go control plane and cloudcore', { skip: missing ?? false }, () => {
  let parts: Parts;
  let cloud: GoCloudCore;
  let control: GoControlPlane;

  before(async () => {
    assert.ok('path' in cloudcore);
    parts = await createParts('gocp', { apiAlone: true });
    await parts.start('apiserver');
    const access = await openKubeApi(parts.kubeconfig, 'kedge-test');
    await installCloudCoreDefinitions(access.api);
    await access.close();
    const pki = join(parts.layout.api.directory, 'pki');
    control = startGoControlPlane({ kubeconfig: parts.kubeconfig, pki, folder: parts.layout.logs });
    await parts.kubectl('create', 'namespace', 'kubeedge');
    cloud = await startGoCloudCore(cloudcore.path, parts.kubeconfig);
    parts.routeEdgeTo(cloud.hubPort, cloud.httpsPort);
    await parts.start('edgecore');
    await parts.waitReady().catch((error: unknown) => {
      throw new Error(`${parts.logs()}\n${cloud.log().slice(-4_000)}\n${control.log()}`, { cause: error });
    });
  });

  after(async () => {
    await control?.stop();
    await parts?.remove();
    await cloud?.stop();
    assert.deepEqual(await tracesOf(...parts.marks), []);
  });

  it('runs a Deployment', async () => {
    await parts.kubectl.apply(deployment);
    await parts.kubectl('rollout', 'status', 'deployment/web', '--timeout=60s');
    assert.equal(await parts.kubectl('get', 'pods', '-o', 'jsonpath={.items[*].spec.nodeName}'), parts.node);
  });

  it('goes on where it was after the API was killed', async () => {
    await parts.end('apiserver', 'SIGKILL');
    await parts.start('apiserver');
    await parts.kubectl('scale', 'deployment/web', '--replicas=2');
    await parts.kubectl('rollout', 'status', 'deployment/web', '--timeout=90s');
    assert.deepEqual(control.ended(), []);
  });

  it('leaves nothing when the Deployment is deleted', async () => {
    await parts.kubectl('delete', 'deployment', 'web', '--timeout=60s');
    await eventually('the pods to be gone', async () => (await parts.kubectl('get', 'pods', '-o', 'name')) === '');
  });
});
