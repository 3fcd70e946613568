// Our edge's half of the link with our whole cloudcore on an API in memory: once as upstream peers speak, once as our
// own two sides agree to.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { seconds } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import { linkPair } from '@kedge/testing/link';
import { type EdgeUnderTest, openTestDatabase, startEdge } from '../../packages/edge/test/link-fixture.ts';
import { api, boundPod, type CloudRig, edgeNode, startCloud } from './cloud-rig.ts';

const node = 'edge-1';
const dialects = ['plain', 'dense'] as const;
type Dialect = (typeof dialects)[number];
const { signal } = new AbortController();

const startEdgeAt = (t: TestContext, cloud: () => CloudRig, dialect: Dialect, db = openTestDatabase()) =>
  startEdge({
    node,
    db,
    clock: cloud().clock,
    connect({ headers }) {
      const asked = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
      if (dialect === 'plain') delete asked['kedge-link'];
      const decision = cloud().hub.upgrade!({
        method: 'GET',
        path: '/',
        query: new URLSearchParams(),
        headers: asked as Record<string, string>,
        remoteAddress: '192.0.2.9',
        peer: {
          commonName: `system:node:${node}`,
          organizations: ['system:nodes'],
          serialNumber: '1',
          notAfter: 4e12,
          raw: new Uint8Array(),
        },
        signal,
        body: async () => new Uint8Array(),
      });
      assert.ok(decision.accept);
      const pair = linkPair();
      decision.open(pair.cloud);
      return { pair, headers: decision.headers ?? {} };
    },
  }).then((edge) => {
    t.after(() => edge.stop());
    return edge;
  });

const nodeRef = { type: 'node', namespace: undefined, name: node };
const leaseRef = { type: 'lease', namespace: 'kube-node-lease', name: node };

async function register(edge: EdgeUnderTest): Promise<void> {
  const { apiVersion: _, kind: __, ...object } = edgeNode(node, 'v1.32.0-kedge-v0.1.0');
  const made = await edge.clock.until(edge.meta.asks.ask({ kind: 'object.create', ref: nodeRef, object }, signal));
  assert.ok(made.ok || made.status.reason === 'AlreadyExists');
}

async function settled(cloud: CloudRig): Promise<void> {
  await cloud.clock.advance(seconds(1));
}

for (const dialect of dialects) {
  test(`${dialect}: a pod goes down, its status comes up, its deletion goes both ways`, async (t) => {
    const cloud = await startCloud(t);
    const edge = await startEdgeAt(t, () => cloud, dialect);
    await register(edge);
    await cloud.kube.create(api('pods'), 'default', boundPod('web', node));
    await settled(cloud);
    const [pod] = edge.meta.pods.list();
    assert.equal(pod?.metadata.name, 'web');

    const ref = { type: 'pod', namespace: 'default', name: 'web' };
    const uid = pod?.metadata.uid ?? '';
    await edge.meta.outbox.podStatus({ ref, uid, status: { phase: 'Running', podIP: '10.0.0.2' } });
    await settled(cloud);
    const stored = (await cloud.kube.get(api('pods'), { namespace: 'default', name: 'web' })) as KubeObject & {
      status: { phase: string };
    };
    assert.equal(stored.status.phase, 'Running');
    assert.equal(edge.meta.pods.get(uid)?.status?.phase, 'Running');
    assert.equal(
      edge.meta.outbox.take(() => false),
      undefined,
    );

    await cloud.kube.delete(api('pods'), { namespace: 'default', name: 'web' }, { gracePeriodSeconds: 30 });
    await settled(cloud);
    assert.ok(edge.meta.pods.get(uid)?.metadata.deletionTimestamp);
    await edge.meta.outbox.podDelete({ ref, uid });
    await settled(cloud);
    await assert.rejects(cloud.kube.get(api('pods'), { namespace: 'default', name: 'web' }));
    assert.deepEqual(edge.meta.pods.list(), []);
  });

  test(`${dialect}: a ConfigMap is fetched, kept in step, and there while the cloud is away`, async (t) => {
    const cloud = await startCloud(t);
    const edge = await startEdgeAt(t, () => cloud, dialect);
    await register(edge);
    const settings = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { colour: 'red' } };
    const made = await cloud.kube.create(api('configmaps'), 'default', settings as KubeObject);
    const volumes = [{ name: 'v', configMap: { name: 'settings' } }];
    await cloud.kube.create(api('pods'), 'default', boundPod('web', node, { volumes }));
    await settled(cloud);
    const get = (name: string) => edge.clock.until(edge.meta.objects.get('configmap', 'default', name, signal));
    const found = await get('settings');
    assert.deepEqual(found.ok && found.value['data'], { colour: 'red' });
    const missing = await get('missing');
    assert.equal(missing.ok, false);

    await cloud.kube.update(api('configmaps'), { ...made, data: { colour: 'blue' } } as KubeObject);
    await settled(cloud);
    edge.unreachable = true;
    edge.cut();
    await settled(cloud);
    assert.equal(edge.link.isOnline, false);
    const kept = await get('settings');
    assert.deepEqual(kept.ok && kept.value['data'], { colour: 'blue' });
  });

  test(`${dialect}: what happened while the link was cut is made up for, in both directions`, async (t) => {
    const cloud = await startCloud(t);
    const edge = await startEdgeAt(t, () => cloud, dialect);
    await register(edge);
    for (const name of ['stays', 'goes']) await cloud.kube.create(api('pods'), 'default', boundPod(name, node));
    await settled(cloud);
    assert.equal(edge.meta.pods.list().length, 2);

    edge.unreachable = true;
    edge.cut();
    await settled(cloud);
    await cloud.kube.delete(api('pods'), { namespace: 'default', name: 'goes' }, { gracePeriodSeconds: 0 });
    await cloud.kube.create(api('pods'), 'default', boundPod('comes', node));
    const stays = edge.meta.pods.list().find((pod) => pod.metadata.name === 'stays')!;
    const ref = { type: 'pod', namespace: 'default', name: 'stays' };
    await edge.meta.outbox.podStatus({ ref, uid: stays.metadata.uid ?? '', status: { phase: 'Failed' } });
    await edge.clock.advance(seconds(300));
    edge.unreachable = false;
    await edge.clock.advance(seconds(60));
    assert.deepEqual(
      edge.meta.pods
        .list()
        .map((pod) => pod.metadata.name)
        .sort(),
      ['comes', 'stays'],
    );
    const pod = (await cloud.kube.get(api('pods'), { namespace: 'default', name: 'stays' })) as { status?: unknown };
    assert.equal((pod.status as { phase: string }).phase, 'Failed');
  });
}

test('dense: an edge whose database was lost is sent everything again, until it has it', async (t) => {
  const cloud = await startCloud(t);
  const first = await startEdgeAt(t, () => cloud, 'dense');
  await register(first);
  await cloud.kube.create(api('pods'), 'default', boundPod('web', node));
  await settled(cloud);
  assert.equal(first.meta.store.isEmpty, true);
  await cloud.clock.advance(seconds(150));
  assert.equal(first.meta.store.isEmpty, false);
  await first.stop();
  const second = await startEdgeAt(t, () => cloud, 'dense', openTestDatabase());
  await cloud.clock.advance(seconds(5));
  assert.deepEqual(
    second.meta.pods.list().map((pod) => pod.metadata.name),
    ['web'],
  );
});

test('dense: keepalives renew the Lease, and an idle link moves less than ten bytes a second', async (t) => {
  const cloud = await startCloud(t);
  const edge = await startEdgeAt(t, () => cloud, 'dense');
  await register(edge);
  await cloud.clock.advance(seconds(60));
  const lease = await cloud.kube.get(api('leases', 'coordination.k8s.io'), {
    namespace: 'kube-node-lease',
    name: node,
  });
  const renewed = (lease['spec'] as { renewTime: string }).renewTime;
  const before = edge.traffic();
  for (let i = 0; i < 60; i++) {
    await edge.clock.advance(seconds(10));
    const answer = await edge.meta.asks.ask({ kind: 'object.update', ref: leaseRef, object: lease }, signal);
    assert.equal(answer.ok, true, 'edged renews as it always does');
  }
  const after = edge.traffic();
  const later = await cloud.kube.get(api('leases', 'coordination.k8s.io'), {
    namespace: 'kube-node-lease',
    name: node,
  });
  assert.ok(Date.parse((later['spec'] as { renewTime: string }).renewTime) >= Date.parse(renewed) + 580_000);
  const perSecond = (after.sent + after.received - before.sent - before.received) / 600;
  assert.ok(perSecond < 10, `${perSecond} B/s`);
});

test('dense: an edge learns by its Lease that its Node was deleted', async (t) => {
  const cloud = await startCloud(t);
  const edge = await startEdgeAt(t, () => cloud, 'dense');
  await register(edge);
  await cloud.clock.advance(seconds(20));
  const renew = async () => {
    const lease = { metadata: { name: node, namespace: 'kube-node-lease' }, spec: { holderIdentity: node } };
    return edge.clock.until(edge.meta.asks.ask({ kind: 'object.update', ref: leaseRef, object: lease }, signal));
  };
  assert.equal((await renew()).ok, true);
  await cloud.kube.delete(api('nodes'), { name: node });
  await cloud.kube.delete(api('leases', 'coordination.k8s.io'), { namespace: 'kube-node-lease', name: node });
  await cloud.clock.advance(seconds(30));
  assert.equal(edge.link.isOnline, true, 'it was sent away and came back');
  const outcome = await renew();
  assert.equal(!outcome.ok && outcome.status.reason, 'NotFound');
});

/** Park and Miller: the same numbers for the same seed. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

for (const dialect of dialects) {
  for (const seed of [1, 2, 3]) {
    test(`${dialect}: whenever the link is cut, both sides agree in the end (seed ${seed})`, async (t) => {
      const chance = seeded(seed);
      const cloud = await startCloud(t);
      const db = openTestDatabase();
      const edge = await startEdgeAt(t, () => cloud, dialect, db);
      await register(edge);
      const phases = ['Pending', 'Running', 'Failed', 'Succeeded'];
      const wanted = new Map<string, string>();
      for (let step = 0; step < 60; step++) {
        const name = `web-${chance(6)}`;
        const ref = { type: 'pod', namespace: 'default', name };
        const known = edge.meta.pods.list().find((pod) => pod.metadata.name === name);
        switch (chance(6)) {
          case 0:
          case 1:
            await cloud.kube.create(api('pods'), 'default', boundPod(name, node)).catch(() => undefined);
            break;
          case 2:
            await cloud.kube.delete(api('pods'), ref, { gracePeriodSeconds: 0 }).catch(() => undefined);
            break;
          case 3:
          case 4:
            if (!known?.metadata.uid) break;
            wanted.set(known.metadata.uid, phases[chance(4)]!);
            await edge.meta.outbox.podStatus({
              ref,
              uid: known.metadata.uid,
              status: { phase: wanted.get(known.metadata.uid)! },
            });
            break;
          default:
            edge.cut();
        }
        if (chance(3) === 0) await cloud.clock.advance(seconds(chance(4)));
      }
      await cloud.clock.advance(seconds(120));
      const { items } = await cloud.kube.list(api('pods'), { namespace: 'default' });
      const seen = (pods: readonly { metadata: { uid?: string }; status?: unknown }[]) =>
        pods
          .map(({ metadata, status }) => `${metadata.uid} ${(status as { phase?: string } | undefined)?.phase}`)
          .sort();
      assert.deepEqual(seen(edge.meta.pods.list()), seen(items));
      for (const { metadata, status } of items) {
        const phase = wanted.get(metadata.uid ?? '');
        if (phase) assert.equal((status as { phase: string }).phase, phase);
      }
      assert.equal(
        edge.meta.outbox.take(() => false),
        undefined,
        'nothing is left to say',
      );
    });
  }
}
