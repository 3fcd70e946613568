// A cloudcore that dies, links that break, acknowledgements that get lost, pods that come and go under old names: after
// all that the edge has exactly what the API has. Random, but the same for the same seed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { seconds } from '@kedge/core/time';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { api, boundPod, type CloudRig, edgeNode, type FakeEdge, settle, startCloud } from './cloud-rig.ts';

const pods = api('pods');
const names = ['a', 'b', 'c'];

type Hearing =
  /** Stores and acknowledges. */
  | 'well'
  /** Stores, but the acknowledgement is lost. */
  | 'mute'
  /** Hears nothing. */
  | 'deaf';

type Step =
  | { readonly do: 'create' | 'change' | 'delete' | 'force'; readonly name: string }
  | { readonly do: 'crash' | 'cut' | 'wipe' | 'wait' }
  | { readonly do: 'hear'; readonly how: Hearing };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('create', 'change', 'delete', 'force'), name: fc.constantFrom(...names) }),
  fc.record({ do: fc.constantFrom('crash', 'cut', 'wipe', 'wait') }),
  fc.record({ do: fc.constant('hear'), how: fc.constantFrom('well', 'mute', 'deaf') }),
) as fc.Arbitrary<Step>;

/** What an edge keeps on its disk, and how it takes messages. */
class Edge {
  readonly store = new Map<string, { uid: string; labels: unknown }>();
  hearing: Hearing = 'well';
  #link: FakeEdge | undefined;
  #taken = 0;

  connect(cloud: CloudRig): void {
    this.#link?.socket.terminate();
    this.#link = cloud.dial('e1');
    this.#link.acknowledge = false;
    this.#taken = 0;
  }

  /** A lost disk shows at an upstream edge as a new registration. */
  async register(): Promise<void> {
    await this.#link?.ask('insert', 'default/node/e1', edgeNode('e1'));
  }

  async hear(): Promise<void> {
    const link = this.#link;
    if (!link) return;
    while (this.#taken < link.pushes().length) {
      const { header, route, content } = link.pushes()[this.#taken++]!;
      if (this.hearing === 'deaf') continue;
      const object = content as KubeObject;
      const key = route.resource ?? '';
      if (route.operation !== 'delete') {
        this.store.set(key, { uid: object.metadata.uid!, labels: object.metadata.labels });
      } else if (this.store.get(key)?.uid === object.metadata.uid) this.store.delete(key);
      if (this.hearing === 'mute' || link.isClosed()) continue;
      const ack = { msg_id: `ack-${header.msg_id}-${this.#taken}`, parent_msg_id: header.msg_id, timestamp: 0 };
      await link
        .send({ header: ack, route: { ...route, operation: 'response' }, content: 'OK' })
        .catch(() => undefined);
      await settle();
    }
  }

  keepAlive(cloud: CloudRig): Promise<void> {
    return this.#link && !this.#link.isClosed() ? cloud.keepAlive(this.#link) : Promise.resolve();
  }
}

const quietly = async (work: Promise<unknown>): Promise<void> => {
  await work.catch((error: unknown) => {
    if (!isStatus(error)) throw error;
  });
};

test('after any trouble the edge has what the API has', { timeout: 120_000 }, async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      let cloud = await startCloud(t);
      const { clock, kube } = cloud;
      await kube.create(api('nodes'), undefined, edgeNode('e1'));
      const edge = new Edge();
      edge.connect(cloud);
      let change = 0;
      for (const one of steps) {
        const target = { namespace: 'default', name: 'name' in one ? one.name : '' };
        switch (one.do) {
          case 'create':
            await quietly(kube.create(pods, 'default', boundPod(target.name, 'e1')));
            break;
          case 'change':
            await quietly(kube.patch(pods, target, 'merge', `{"metadata":{"labels":{"n":"${++change}"}}}`));
            break;
          case 'delete':
          case 'force':
            await quietly(kube.delete(pods, target, { gracePeriodSeconds: one.do === 'force' ? 0 : 30 }));
            break;
          case 'crash':
            await cloud.stop();
            cloud = await startCloud(t, { clock, kube });
            edge.connect(cloud);
            break;
          case 'cut':
            edge.connect(cloud);
            break;
          case 'wipe':
            edge.store.clear();
            edge.connect(cloud);
            await edge.register();
            break;
          case 'wait':
            await clock.advance(seconds(7));
            await edge.keepAlive(cloud);
            break;
          case 'hear':
            edge.hearing = one.how;
            break;
        }
        await settle();
        await edge.hear();
      }
      edge.hearing = 'well';
      edge.connect(cloud);
      for (let i = 0; i < 12; i++) {
        await clock.advance(seconds(5));
        await edge.hear();
        await edge.keepAlive(cloud);
      }
      const { items } = await kube.list(pods);
      const wanted = items.map(({ metadata }) => [
        `default/pod/${metadata.name}`,
        { uid: metadata.uid, labels: metadata.labels },
      ]);
      assert.deepEqual([...edge.store].sort(), wanted.sort());
      await cloud.stop();
    }),
    { numRuns: 60, seed: 7 },
  );
});
