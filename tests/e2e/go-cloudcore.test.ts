// Our edgecore, as users run it, on a Go cloudcore and real containerd: Ready, pods, deletion, and life without the cloud.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openKubeApi } from '../../apps/kedge/src/kube-access.ts';
import { installCloudCoreDefinitions } from '../interop/peers/cloudcore-definitions.ts';
import { findPeer, type GoCloudCore, startGoCloudCore, withCaFile } from '../interop/peers/go-cloudcore.ts';
import { tracesOf } from './harness/host-traces.ts';
import { httpGet } from './harness/http-get.ts';
import { createParts, type Parts } from './harness/parts.ts';
import { eventually } from './harness/run.ts';
import { showcase } from './manifests.ts';

for (const version of ['v1.22.2', 'v1.23.1']) {
  const peer = findPeer(`cloudcore-${version}`);
  const program = 'path' in peer ? peer.path : '';

  describe(`our edgecore on a Go cloudcore ${version}`, { skip: 'missing' in peer ? peer.missing : false }, () => {
    let parts: Parts;
    let cloud: GoCloudCore;

    before(async () => {
      parts = await createParts('go');
      await parts.start('apiserver');
      const access = await openKubeApi(parts.kubeconfig, 'kedge-test');
      await installCloudCoreDefinitions(access.api);
      await access.close();
      await parts.kubectl('create', 'namespace', 'kubeedge');
      cloud = await startGoCloudCore(program, await withCaFile(parts.kubeconfig));
      parts.routeEdgeTo(cloud.hubPort, cloud.httpsPort);
      await parts.start('edgecore');
      await parts.waitReady().catch((error: unknown) => {
        throw new Error(`${parts.logs()}\n${cloud.log().slice(-4_000)}`, { cause: error });
      });
    });

    after(async () => {
      await parts.remove();
      await cloud.stop();
      assert.deepEqual(await tracesOf(...parts.marks), []);
    });

    it('runs a pod with a ConfigMap, a Secret and a token', async () => {
      await parts.kubectl.apply(showcase('show', parts.node));
      await parts.kubectl('wait', '--for=condition=Ready', 'pod/show', '--timeout=60s');
      const ip = await parts.kubectl('get', 'pod', 'show', '-o', 'jsonpath={.status.podIP}');
      assert.equal(await httpGet(`http://${ip}:8080/data/config/greeting`), 'hello');
      assert.equal(await httpGet(`http://${ip}:8080/data/secret/password`), 'swordfish');
      assert.equal((await httpGet(`http://${ip}:8080/data/all/token`)).split('.').length, 3);
    });

    it('gives its log to the API, which knows the edge by the certificate that cloudcore issued', async () => {
      // The kubelet's endpoints are served once cloudcore has told whose certificates callers have.
      const log = await eventually(
        'a log',
        async () => {
          const { code, stdout } = await parts.kubectl.try('logs', 'show');
          return code === 0 ? stdout : undefined;
        },
        20_000,
      ).catch((error: unknown) => {
        throw new Error(parts.logs(), { cause: error });
      });
      assert.equal(log.trim(), 'serving');
    });

    it('ends a deleted pod and lets the API forget it', async () => {
      await parts.kubectl('delete', 'pod', 'show', '--timeout=60s');
    });
  });
}
