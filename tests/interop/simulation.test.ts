// A cloud and three edges through random trouble: slow and broken networks, dead connections, processes that die at any
// write, lost disks. When it is over nothing is lost, nothing happened twice, and everybody agrees. The seed of a
// failing run is in its name: KEDGE_SEED=n runs that one alone.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { milliseconds, seconds } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import { api, boundPod } from './cloud-rig.ts';
import { quietly, type SimEdge, World } from './simulated-world.ts';

const nodes = ['edge-a', 'edge-b', 'edge-c'];
const podNames = ['one', 'two', 'three', 'four'];
const pods = api('pods');
const configMaps = api('configmaps');
const objectSyncs = api('objectsyncs', 'reliablesyncs.kubeedge.io', 'v1alpha1');

const steps = 50;
const asked = process.env['KEDGE_SEED'];
const seeds = asked === undefined ? Array.from({ length: 16 }, (_, n) => 1_000 + n) : [Number(asked)];

async function trouble(world: World): Promise<void> {
  const { random, kube, network, clock } = world;
  const node = random.pick(nodes);
  const name = `${random.pick(podNames)}-${node}`;
  const target = { namespace: 'default', name };
  const edge = world.edges.find((one) => one.node === node)!;
  const when = random.pick(['before', 'after'] as const);
  const merge = (document: object) => JSON.stringify(document);
  switch (random.below(16)) {
    case 0:
    case 1:
    case 2: {
      const volumes = [{ name: 'v', configMap: { name: `of-${node}` } }];
      return quietly(kube.create(pods, 'default', boundPod(name, node, { volumes })));
    }
    case 3:
    case 4:
      return quietly(kube.patch(pods, target, 'merge', merge({ metadata: { labels: { change: kube.version } } })));
    case 5:
      return quietly(kube.delete(pods, target, { gracePeriodSeconds: 30 }));
    case 6:
      return quietly(kube.delete(pods, target, { gracePeriodSeconds: 0 }));
    case 7:
      return quietly(
        kube.patch(
          configMaps,
          { namespace: 'default', name: `of-${node}` },
          'merge',
          merge({ data: { at: kube.version } }),
        ),
      );
    case 8:
    case 9:
    case 10:
      return edge.move();
    case 11:
      return random.below(2) === 0 ? network.cut(node) : network.mute(node);
    case 12:
      network.isolate(node);
      await clock.advance(seconds(random.below(40)));
      return network.join(node);
    case 13:
      return edge.dieAtWrite(1 + random.below(4), when);
    case 14:
      return world.cloudDiesAtWrite(1 + random.below(6), when);
    default:
      if (random.below(4) === 0) return edge.loseDisk();
      return random.below(2) === 0 ? edge.restart() : world.restartCloud();
  }
}

type Seen = Record<string, unknown>;
const sorted = (entries: [string, unknown][]): Seen => Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));

async function assertAgreement(world: World, edge: SimEdge): Promise<void> {
  const { node, meta } = edge;
  edge.stopGone();
  const { items } = await world.kube.list(pods, { namespace: 'default' });
  const mine = items.filter((pod) => (pod['spec'] as { nodeName: string }).nodeName === node);
  const facts = ({ metadata }: Pick<KubeObject, 'metadata'>): [string, unknown] => [
    metadata.uid!,
    { name: metadata.name, change: metadata.labels?.['change'], ends: metadata.deletionTimestamp },
  ];
  assert.deepEqual(sorted(meta.pods.list().map(facts)), sorted(mine.map(facts)), `${node} has the pods of the API`);
  assert.deepEqual(
    sorted([...edge.containers].map(([uid, { state }]) => [uid, String(state)])),
    sorted(mine.map((pod) => [pod.metadata.uid!, (pod['status'] as { message?: string }).message])),
    `the API has the newest state of every container on ${node}`,
  );
  assert.equal(
    meta.outbox.take(() => false),
    undefined,
    `${node} has nothing left to say`,
  );
  for (const [uid, times] of edge.starts) assert.equal(times, 1, `${uid} was started once on ${node}`);

  const stored = meta.inventory().filter(({ ref }) => ref.type === 'pod');
  const syncs = await world.kube.list(objectSyncs, { namespace: 'default' });
  const ledger = syncs.items.filter(
    ({ metadata, spec }) =>
      metadata.name!.startsWith(`${node}.`) && (spec as { objectKind: string }).objectKind === 'Pod',
  );
  const onRecord = new Map(
    ledger.map(({ metadata, status }) => [
      metadata.name!.slice(node.length + 1),
      (status as { objectResourceVersion: string }).objectResourceVersion,
    ]),
  );
  assert.deepEqual([...onRecord.keys()].sort(), stored.map(({ uid }) => uid).sort(), `the ledger knows ${node}`);
  for (const { uid, version } of stored) {
    const acknowledged = onRecord.get(uid)!;
    assert.ok(
      world.sameForNode(uid, version, acknowledged),
      `${node} has ${uid} at ${version}, not at ${acknowledged}`,
    );
  }

  if (mine.length === 0) return;
  const target = { namespace: 'default', name: `of-${node}` };
  const copy = await meta.objects.get('configmap', 'default', target.name, new AbortController().signal);
  assert.ok(copy.ok && copy.value['data'], `${node} has its ConfigMap`);
  assert.deepEqual(copy.value['data'], (await world.kube.get(configMaps, target))['data']);
}

describe('a cloud and its edges', () => {
  for (const seed of seeds) {
    test(`agree when trouble is over (KEDGE_SEED=${seed})`, { timeout: 30_000 }, async (t) => {
      const world = await World.begin(t, seed, nodes);
      const { clock, random, network, kube } = world;
      for (const node of nodes) {
        const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `of-${node}` }, data: { at: '0' } };
        await kube.create(configMaps, 'default', map as KubeObject);
      }
      for (let step = 0; step < steps; step++) {
        await trouble(world);
        if (random.below(2) === 0) await clock.advance(milliseconds(random.below(3_000)));
        if (random.below(3) === 0) await world.reviveTheDead();
      }
      await world.calm();
      await clock.advance(seconds(240));
      assert.equal(world.setback, undefined);
      for (const edge of world.edges) await assertAgreement(world, edge);

      const before = network.carried;
      await clock.advance(seconds(60));
      const frames = network.carried - before;
      assert.ok(frames <= nodes.length * 10, `${frames} frames in a minute in which nothing happened`);
      await world.end();
    });
  }
});
