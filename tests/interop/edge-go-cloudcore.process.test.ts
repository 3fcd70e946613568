// Our edge's half of the link joined to a real Go cloudcore: bootstrap, node, pods both ways, ConfigMaps, tokens,
// rotation and reconnection. Runs where $PEERS names a folder with the programs; KEDGE_RECORD=FOLDER writes down what
// each asked of our API, for being played again where there are none (control-plane/test/peers).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { type Clock, days, instant, seconds } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { systemClock } from '@kedge/platform/node';
import { api, boundPod, edgeNode } from './cloud-rig.ts';
import { eventually, node, readToken, startApi, startEdge, whenTrue } from './peers/edge-rig.ts';
import { findPeer, startGoCloudCore } from './peers/go-cloudcore.ts';

const { signal } = new AbortController();
const nodeRef = { type: 'node', namespace: undefined, name: node };
const leaseRef = { type: 'lease', namespace: 'kube-node-lease', name: node };

const get = (kube: KubeApi, resource: string, name: string): Promise<KubeObject | undefined> =>
  kube.get(api(resource), { namespace: 'default', name }).catch(() => undefined);

async function putNode({ meta }: Awaited<ReturnType<typeof startEdge>>): Promise<void> {
  const { apiVersion: _, kind: __, ...object } = edgeNode(node, 'v1.32.0-kedge-v0.1.0');
  const made = await meta.asks.ask({ kind: 'object.create', ref: nodeRef, object }, signal);
  assert.deepEqual(made.ok, true, JSON.stringify(made));
}

for (const version of ['v1.22.2', 'v1.23.1']) {
  const peer = findPeer(`cloudcore-${version}`);
  const skip = 'missing' in peer ? peer.missing : false;

  test(`our edge works with a Go cloudcore ${version}`, { skip, timeout: 180_000 }, async (t) => {
    assert.ok('path' in peer);
    const folder = mkdtempSync(join(tmpdir(), 'kedge-edge-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const { kube, kubeconfig } = await startApi(t, folder, version);
    const cloud = await startGoCloudCore(peer.path, kubeconfig);
    t.after(() => cloud.stop());
    const edge = await startEdge(t, cloud, await readToken(kube), folder);
    const { meta, link } = edge;

    await t.test('joins by token and connects', async () => {
      assert.equal(edge.identity.current().info.commonName, `system:node:${node}`);
      await whenTrue('link', () => link.isOnline);
    });

    await t.test('registers its node, renews its lease and reports its status', async () => {
      const missing = await meta.asks.ask({ kind: 'object.get', ref: nodeRef }, signal);
      assert.equal(!missing.ok && missing.status.reason, 'NotFound');
      await putNode(edge);
      const known = await meta.asks.ask({ kind: 'object.get', ref: nodeRef }, signal);
      assert.ok(known.ok && known.value.metadata.uid);
      const { uid } = known.value.metadata;
      const ownerReferences = [{ apiVersion: 'v1', kind: 'Node', name: node, uid }];
      const spec = {
        holderIdentity: node,
        leaseDurationSeconds: 40,
        renewTime: new Date().toISOString().replace('Z', '000Z'),
      };
      const lease = { metadata: { name: node, namespace: 'kube-node-lease', ownerReferences }, spec };
      const made = await meta.asks.ask({ kind: 'object.create', ref: leaseRef, object: lease }, signal);
      assert.ok(made.ok, JSON.stringify(made));
      const renewed = await meta.asks.ask({ kind: 'object.update', ref: leaseRef, object: made.value }, signal);
      assert.ok(renewed.ok, JSON.stringify(renewed));
      const conditions = [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'ready' }];
      meta.outbox.nodeStatus({ ref: nodeRef, patch: JSON.stringify({ status: { conditions } }) });
      await eventually('node status', async () => {
        const { status } = (await kube.get(api('nodes'), { name: node })) as unknown as {
          status: { conditions?: object[] };
        };
        return status.conditions?.length ? true : undefined;
      });
    });

    await t.test('takes a pod, and the cloud knows that it has it', async () => {
      await kube.create(api('pods'), 'default', boundPod('web', node));
      const pod = await eventually('pod', () => meta.pods.list()[0]);
      assert.equal(pod.metadata.name, 'web');
      const syncs = api('objectsyncs', 'reliablesyncs.kubeedge.io', 'v1alpha1');
      await eventually('record of the acknowledgement', async () => {
        const name = `${node}.${pod.metadata.uid}`;
        const sync = await kube.get(syncs, { namespace: 'default', name }).catch(() => undefined);
        return (sync?.['status'] as { objectResourceVersion?: string } | undefined)?.objectResourceVersion ===
          pod.metadata.resourceVersion
          ? true
          : undefined;
      });
    });

    await t.test('fetches ConfigMaps, Secrets and tokens, and never takes an error for one', async () => {
      const wanted = await meta.objects.get('configmap', 'default', 'settings', signal);
      assert.equal(wanted.ok, false);
      assert.equal(
        meta.inventory().some(({ ref }) => ref.type === 'configmap'),
        false,
      );
      await kube.create(api('configmaps'), 'default', {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'settings' },
        data: { a: '1' },
      });
      await kube.create(api('secrets'), 'default', {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'password' },
        data: { b: 'Mg==' },
      });
      // The cloud answers from its own copy, which is a moment late.
      const found = (type: 'configmap' | 'secret', name: string) =>
        eventually(name, async () => {
          const outcome = await meta.objects.get(type, 'default', name, signal);
          return outcome.ok ? outcome.value['data'] : undefined;
        });
      assert.deepEqual(await Promise.all([found('configmap', 'settings'), found('secret', 'password')]), [
        { a: '1' },
        { b: 'Mg==' },
      ]);
      const began = performance.now();
      const pod = meta.pods.list()[0]!;
      const issued = await meta.tokens.request(
        {
          namespace: 'default',
          serviceAccount: 'default',
          pod: { name: 'web', uid: pod.metadata.uid ?? '' },
          audiences: [],
          expirationSeconds: 3_607,
        },
        signal,
      );
      assert.equal(issued.ok && issued.value.token.split('.').length, 3, 'a JWT');
      assert.ok(performance.now() - began < 4_000, 'the acknowledged answers held nothing up');
    });

    await t.test('reports the status of a pod, and its end', async () => {
      const { uid = '' } = meta.pods.list()[0]!.metadata;
      const ref = { type: 'pod', namespace: 'default', name: 'web' };
      await meta.outbox.podStatus({ ref, uid, status: { phase: 'Running', podIP: '10.0.0.9' } });
      await eventually('status', async () => {
        const status = (await get(kube, 'pods', 'web'))?.['status'] as { phase?: string } | undefined;
        return status?.phase === 'Running' ? true : undefined;
      });
      await whenTrue('outbox to be empty', () => meta.outbox.take(() => false) === undefined);
      await kube.delete(api('pods'), { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 30 });
      await whenTrue('deletion mark', () => meta.pods.get(uid)?.metadata.deletionTimestamp !== undefined);
      await meta.outbox.podDelete({ ref, uid });
      await whenTrue('pod to be gone from the edge', () => meta.pods.list().length === 0);
      assert.equal(await get(kube, 'pods', 'web'), undefined);
    });

    await t.test('renews its certificate with the old one as proof, and dials again with the new one', async () => {
      const late: Clock = { ...systemClock, now: () => instant(systemClock.now() + days(350)) };
      const identity = edge.makeIdentity(late, '');
      const before = edge.identity.current().certificate;
      const renewed = new Promise<void>((resolve) => identity.listen(resolve));
      const scope = openScope({ clock: systemClock, name: 'renewal' });
      await identity.start(scope);
      await renewed;
      await scope.close(seconds(1));
      assert.notEqual(identity.current().certificate, before);
    });

    await t.test('finds back after the cloud was away, and hears what it missed', async () => {
      await cloud.stop();
      await whenTrue('link to break', () => !link.isOnline);
      await kube.create(api('pods'), 'default', boundPod('later', node));
      const again = await startGoCloudCore(peer.path, kubeconfig, cloud);
      t.after(() => again.stop());
      await whenTrue('link', () => link.isOnline, 60_000);
      const pod = await eventually('pod', () => meta.pods.list()[0], 30_000);
      assert.equal(pod.metadata.name, 'later');
    });
  });
}
