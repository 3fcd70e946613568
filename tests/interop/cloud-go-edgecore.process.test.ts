// A real Go edgecore joins our cloudcore: it becomes Ready, runs a pod, survives what happens in the field, and no pod
// is ever stuck in Terminating. Needs root, containerd, and PEERS naming a folder with edgecore-v1.22.2 and -v1.23.1.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { Node } from '@kedge/model/k8s-types';
import { createHttpClient } from '@kedge/platform/node';

import {
  canRun,
  createGoEdge,
  eventually,
  isReady,
  scratch,
  startEmbeddedApi,
  startLiveCloud,
  versions,
} from './cloud-go-rig.ts';
import { api } from './cloud-rig.ts';

const pods = api('pods');
const nodes = api('nodes');
const node = 'go-edge';

const pod = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: {
    nodeName: node,
    serviceAccountName: 'default',
    terminationGracePeriodSeconds: 2,
    restartPolicy: 'Always',
    dnsPolicy: 'Default',
    enableServiceLinks: false,
    securityContext: {},
    schedulerName: 'default-scheduler',
    tolerations: [{ operator: 'Exists' }],
    containers: [
      {
        name: 'c',
        image: 'docker.io/library/busybox:1.35',
        imagePullPolicy: 'Never',
        terminationMessagePath: '/dev/termination-log',
        terminationMessagePolicy: 'File',
        resources: {},
        command: ['/bin/sh', '-c', 'echo started; trap "exit 0" TERM; while true; do sleep 0.2; done'],
      },
    ],
    ...spec,
  },
});

/** What controllers put into every namespace. */
async function prepareNamespace(kube: KubeApi): Promise<void> {
  const metadata = (name: string) => ({ name, namespace: 'default' });
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadata('default') };
  await kube.create(api('serviceaccounts'), 'default', account);
  const roots = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: metadata('kube-root-ca.crt'),
    data: { 'ca.crt': 'x' },
  };
  await kube.create(api('configmaps'), 'default', roots);
}

for (const version of versions) {
  const skip = canRun(version) ? false : `PEERS names no folder with edgecore-${version}, or this is not root`;
  test(`edgecore ${version} joins, runs pods and loses none`, { skip, timeout: 600_000 }, async (t) => {
    const { directory, later } = await scratch(t);
    const { server, kube } = await startEmbeddedApi({ directory, later });
    await prepareNamespace(kube);
    let cloud = await startLiveCloud(kube, join(directory, 'cloud.log'));
    later(() => cloud.stop());
    const edge = await createGoEdge(later, { version, node, cloud, directory });
    edge.start();

    const phaseOf = async (name: string) => {
      const found = await kube.get(pods, { namespace: 'default', name });
      return (found['status'] as { phase?: string }).phase;
    };
    const isGone = (name: string) =>
      kube.get(pods, { namespace: 'default', name }).then(
        (found) => found.metadata.deletionTimestamp ?? 'still there',
        (error: unknown) => isStatus(error, 'NotFound'),
      );
    const running = (name: string) =>
      eventually(`pod ${name} Running`, 90_000, async () => (await phaseOf(name)) === 'Running' || phaseOf(name));
    const gone = (name: string) => eventually(`pod ${name} gone`, 120_000, () => isGone(name));

    await t.test('the node becomes Ready', async () => {
      await eventually('node Ready', 90_000, async () => isReady(await kube.get(nodes, { name: node })));
      const registered = await kube.get(nodes, { name: node });
      assert.equal(registered.metadata.labels?.['node-role.kubernetes.io/edge'], '');
      assert.equal(registered.metadata.annotations?.['cloudcore'], '127.0.0.1');
    });

    await t.test('a pod with a ConfigMap and a Secret runs', async () => {
      await kube.create(api('configmaps'), 'default', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'app', namespace: 'default' },
        data: { greeting: 'hello' },
      });
      await kube.create(api('secrets'), 'default', {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'key', namespace: 'default' },
        data: { password: 'aGk=' },
      });
      const volumes = [
        { name: 'm', configMap: { name: 'app', defaultMode: 420 } },
        { name: 's', secret: { secretName: 'key', defaultMode: 420 } },
      ];
      await kube.create(pods, 'default', pod('web', { volumes }));
      await running('web');
    });

    await t.test(
      'its kubelet answers on loopback, over HTTP, and the API does not take its log from there',
      async () => {
        const { status } = (await kube.get(nodes, { name: node })) as Node;
        const { Port: port = 0 } = status?.daemonEndpoints?.kubeletEndpoint ?? {};
        const local = await fetch(`http://127.0.0.1:${port}/containerLogs/default/web/c`);
        assert.deepEqual([local.status, await local.text()], [200, 'started\n']);
        await assert.rejects(fetch(`https://127.0.0.1:${port}/containerLogs/default/web/c`), TypeError);
        // It asks for a certificate of a client, and that is what it gets.
        const { keyUsage } = new X509Certificate(await readFile(join(directory, 'server.crt')));
        assert.deepEqual(keyUsage, ['1.3.6.1.5.5.7.3.2']);
        const { authority, admin } = server.server.pki;
        const client = createHttpClient({
          tls: { ca: authority.certificatePem, certificate: admin.certificatePem, key: admin.key.reveal() },
        });
        later(() => client.close());
        const url = `https://127.0.0.1:${server.server.port()}/api/v1/namespaces/default/pods/web/log`;
        const answer = await client.request({ method: 'GET', url });
        assert.equal(answer.status, 503);
        assert.match(await answer.text(), /through CloudStream/);
      },
    );

    await t.test('a pod whose ConfigMap comes late starts with what is in it, not with nothing', async () => {
      const base = pod('late')['spec'] as { containers: object[] };
      await kube.create(
        pods,
        'default',
        pod('late', {
          restartPolicy: 'Never',
          volumes: [{ name: 'm', configMap: { name: 'later', defaultMode: 420 } }],
          containers: [
            {
              ...base.containers[0],
              command: ['/bin/grep', 'hello', '/m/greeting'],
              volumeMounts: [{ name: 'm', mountPath: '/m' }],
            },
          ],
        }),
      );
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      assert.equal(await phaseOf('late'), 'Pending');
      await kube.create(api('configmaps'), 'default', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'later', namespace: 'default' },
        data: { greeting: 'hello' },
      });
      await eventually(
        'pod late done',
        150_000,
        async () => (await phaseOf('late')) === 'Succeeded' || phaseOf('late'),
      );
      await kube.delete(pods, { namespace: 'default', name: 'late' }, { gracePeriodSeconds: 2 });
      await gone('late');
    });

    await t.test('a deleted pod ends gracefully and goes', async () => {
      await kube.delete(pods, { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 2 });
      await gone('web');
    });

    await t.test('what changes while cloudcore is away is caught up with', async () => {
      for (const name of ['kept', 'dropped']) await kube.create(pods, 'default', pod(name));
      await running('kept');
      await running('dropped');
      const { ports } = cloud;
      await cloud.stop();
      await kube.delete(pods, { namespace: 'default', name: 'dropped' }, { gracePeriodSeconds: 2 });
      await kube.create(pods, 'default', pod('added'));
      cloud = await startLiveCloud(kube, join(directory, 'cloud.log'), ports);
      await running('added');
      await gone('dropped');
      assert.equal(await phaseOf('kept'), 'Running');
    });

    await t.test('an edge that lost its database gets its pods back, and one being deleted goes', async () => {
      await edge.stop();
      await edge.wipe();
      await kube.delete(pods, { namespace: 'default', name: 'added' }, { gracePeriodSeconds: 2 });
      // Only an edge that runs the pod can say otherwise.
      const status = JSON.stringify({ status: { phase: 'Unknown' } });
      await kube.patch(pods, { namespace: 'default', name: 'kept', subresource: 'status' }, 'merge', status);
      edge.start();
      await gone('added');
      await running('kept');
    });

    await t.test('a Node that is deleted and comes back leaves no pod in Terminating', async () => {
      await edge.stop();
      await edge.wipe();
      await kube.delete(pods, { namespace: 'default', name: 'kept' }, { gracePeriodSeconds: 2 });
      await kube.delete(nodes, { name: node });
      edge.start();
      await eventually('node Ready again', 90_000, async () => isReady(await kube.get(nodes, { name: node })));
      await gone('kept');
    });

    await t.test('nothing that a real edge does is refused', async () => {
      const refused = (await readFile(join(directory, 'cloud.log'), 'utf8'))
        .split('\n')
        .filter((line) => line.includes('request of a node refused') || line.includes('link refused'));
      assert.deepEqual(refused, []);
    });
  });
}
