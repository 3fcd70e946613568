// What every KubeApi must do, whether it is the fake, our API server in memory, or a server across HTTP.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Change } from '@kedge/core/control';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject, type StatusReason } from '@kedge/model/k8s';

export interface KubeApiUnderTest {
  readonly api: KubeApi;
  close(): Promise<void>;
}

const { configMaps, deployments, namespaces, nodes, pods, serviceAccounts } = collections;
const never = new AbortController().signal;

const configMap = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: labels ? { name, labels } : { name },
  data,
});
const pod = (name: string, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: { containers: [{ name: 'main', image: 'busybox' }], ...spec },
});
const deployment = (name: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'main', image: 'busybox' }] } },
  },
});

const refusedWith = (reason: StatusReason) => (error: unknown) => isStatus(error, reason);

async function take(from: AsyncIterable<Change<KubeObject>>, count: number): Promise<Change<KubeObject>[]> {
  const changes: Change<KubeObject>[] = [];
  for await (const change of from) {
    if (change.type === 'bookmark') continue;
    changes.push(change);
    if (changes.length === count) break;
  }
  return changes;
}
const told = (changes: readonly Change<KubeObject>[]) =>
  changes.map((change) => ('object' in change ? `${change.type} ${change.object.metadata.name}` : change.type));

/** `open` gives an empty API that has the namespaces `default` and `other`. */
export function describeKubeApi(name: string, open: () => Promise<KubeApiUnderTest>): void {
  const on = (sentence: string, body: (api: KubeApi) => Promise<void>) =>
    test(sentence, async () => {
      const { api, close } = await open();
      try {
        await body(api);
      } finally {
        await close();
      }
    });

  describe(`KubeApi: ${name}`, () => {
    on('a created object has an identity and can be read back', async (api) => {
      const created = await api.create(configMaps, 'default', configMap('a', { x: '1' }));
      assert.equal(created.metadata.namespace, 'default');
      assert.ok(created.metadata.uid && created.metadata.resourceVersion && created.metadata.creationTimestamp);
      assert.equal(created.kind, 'ConfigMap');
      const read = await api.get(configMaps, { namespace: 'default', name: 'a' });
      assert.equal(read.metadata.uid, created.metadata.uid);
      assert.deepEqual(read['data'], { x: '1' });
    });

    on('a second object of one name is refused, and an absent one is not found', async (api) => {
      await api.create(configMaps, 'default', configMap('a'));
      await assert.rejects(api.create(configMaps, 'default', configMap('a')), refusedWith('AlreadyExists'));
      await api.create(configMaps, 'other', configMap('a'));
      await assert.rejects(api.get(configMaps, { namespace: 'default', name: 'b' }), refusedWith('NotFound'));
      await assert.rejects(api.delete(configMaps, { namespace: 'default', name: 'b' }), refusedWith('NotFound'));
    });

    on('generateName makes names that differ', async (api) => {
      const object = { ...configMap(''), metadata: { generateName: 'web-' } };
      const one = await api.create(configMaps, 'default', object);
      const two = await api.create(configMaps, 'default', object);
      assert.match(one.metadata.name!, /^web-.{5}$/);
      assert.notEqual(one.metadata.name, two.metadata.name);
    });

    on('an update from an old version is a conflict and changes nothing', async (api) => {
      const first = await api.create(configMaps, 'default', configMap('a', { x: '1' }));
      const second = await api.update(configMaps, { ...first, data: { x: '2' } });
      assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
      await assert.rejects(api.update(configMaps, { ...first, data: { x: '3' } }), refusedWith('Conflict'));
      assert.deepEqual((await api.get(configMaps, { namespace: 'default', name: 'a' }))['data'], { x: '2' });
    });

    on('a write that changes nothing makes no new version', async (api) => {
      const created = await api.create(configMaps, 'default', configMap('a', { x: '1' }));
      const same = await api.patch(configMaps, { namespace: 'default', name: 'a' }, 'merge', '{"data":{"x":"1"}}');
      assert.equal(same.metadata.resourceVersion, created.metadata.resourceVersion);
    });

    on('lists are limited by namespace, labels and fields', async (api) => {
      await api.create(configMaps, 'default', configMap('a', {}, { app: 'web' }));
      await api.create(configMaps, 'default', configMap('b', {}, { app: 'db' }));
      await api.create(configMaps, 'other', configMap('c', {}, { app: 'web' }));
      // What a real cluster is born with.
      const clustersOwn = new Set(['kube-root-ca.crt', 'extension-apiserver-authentication']);
      const names = async (selection: object) =>
        (await api.list(configMaps, selection)).items
          .map(({ metadata }) => metadata.name)
          .filter((name = '') => !clustersOwn.has(name))
          .toSorted();
      assert.deepEqual(await names({}), ['a', 'b', 'c']);
      assert.deepEqual(await names({ namespace: 'default' }), ['a', 'b']);
      assert.deepEqual(await names({ labelSelector: 'app=web' }), ['a', 'c']);
      assert.deepEqual(await names({ namespace: 'default', fieldSelector: 'metadata.name=b' }), ['b']);
    });

    on('a watch tells every change after a list, in order', async (api) => {
      const { resourceVersion } = await api.list(configMaps, { namespace: 'default' });
      await api.create(configMaps, 'default', configMap('a'));
      await api.patch(configMaps, { namespace: 'default', name: 'a' }, 'merge', '{"data":{"x":"1"}}');
      await api.create(configMaps, 'other', configMap('elsewhere'));
      await api.delete(configMaps, { namespace: 'default', name: 'a' });
      const stop = new AbortController();
      const changes = await take(api.watch(configMaps, { namespace: 'default' }, resourceVersion, stop.signal), 3);
      stop.abort();
      assert.deepEqual(told(changes), ['added a', 'modified a', 'deleted a']);
    });

    on('a watch with a selector tells of objects that come into it and leave it', async (api) => {
      const { resourceVersion } = await api.list(configMaps, { namespace: 'default' });
      const stop = new AbortController();
      const changes = take(api.watch(configMaps, { labelSelector: 'app=web' }, resourceVersion, stop.signal), 2);
      const target = { namespace: 'default', name: 'a' };
      await api.create(configMaps, 'default', configMap('a'));
      await api.patch(configMaps, target, 'merge', '{"metadata":{"labels":{"app":"web"}}}');
      await api.patch(configMaps, target, 'merge', '{"metadata":{"labels":{"app":null}}}');
      assert.deepEqual(told(await changes), ['added a', 'deleted a']);
      stop.abort();
    });

    on('a watch ends when its signal aborts', async (api) => {
      const { resourceVersion } = await api.list(configMaps);
      const stop = new AbortController();
      const ended = take(api.watch(configMaps, {}, resourceVersion, stop.signal), 1).catch(() => []);
      stop.abort();
      assert.deepEqual(await ended, []);
    });

    on('status is written by its subresource only, and only the spec raises the generation', async (api) => {
      const created = await api.create(deployments, 'default', { ...deployment('web'), status: { replicas: 9 } });
      assert.equal((created['status'] as { replicas?: number } | undefined)?.replicas ?? 0, 0);
      assert.equal(created.metadata.generation, 1);
      const target = { namespace: 'default', name: 'web' };
      const patched = await api.patch(
        deployments,
        { ...target, subresource: 'status' },
        'merge',
        '{"status":{"replicas":2},"spec":{"replicas":5}}',
      );
      assert.deepEqual(
        [(patched['status'] as { replicas: number }).replicas, (patched['spec'] as { replicas: number }).replicas],
        [2, 1],
      );
      assert.equal(patched.metadata.generation, 1);
      const scaled = await api.patch(deployments, target, 'merge', '{"spec":{"replicas":5},"status":{"replicas":7}}');
      assert.deepEqual(
        [(scaled['status'] as { replicas: number }).replicas, (scaled['spec'] as { replicas: number }).replicas],
        [2, 5],
      );
      assert.equal(scaled.metadata.generation, 2);
      const updated = await api.update(deployments, { ...scaled, status: { replicas: 3 } }, { subresource: 'status' });
      assert.equal((updated['status'] as { replicas: number }).replicas, 3);
    });

    on('a strategic patch merges lists by their key', async (api) => {
      await api.create(pods, 'default', pod('a'));
      const target = { namespace: 'default', name: 'a', subresource: 'status' };
      const condition = (type: string) => JSON.stringify({ status: { conditions: [{ type, status: 'True' }] } });
      await api.patch(pods, target, 'strategic', condition('Ready'));
      const patched = await api.patch(pods, target, 'strategic', condition('Initialized'));
      const { conditions } = patched['status'] as { conditions: { type: string }[] };
      assert.deepEqual(conditions.map(({ type }) => type).toSorted(), ['Initialized', 'Ready']);
    });

    on('a finalizer holds a deleted object until it is taken away', async (api) => {
      const target = { namespace: 'default', name: 'a' };
      await api.create(configMaps, 'default', {
        ...configMap('a'),
        metadata: { name: 'a', finalizers: ['test/hold'] },
      });
      await api.delete(configMaps, target);
      assert.ok((await api.get(configMaps, target)).metadata.deletionTimestamp);
      await api.patch(configMaps, target, 'merge', '{"metadata":{"finalizers":null}}');
      await assert.rejects(api.get(configMaps, target), refusedWith('NotFound'));
    });

    on('a delete meant for another incarnation is a conflict', async (api) => {
      await api.create(configMaps, 'default', configMap('a'));
      const target = { namespace: 'default', name: 'a' };
      await assert.rejects(api.delete(configMaps, target, { uid: 'not-this-one' }), refusedWith('Conflict'));
      assert.ok(await api.get(configMaps, target));
    });

    on('deleting with propagation leaves the finalizer that asks for it', async (api) => {
      for (const [name, policy, finalizer] of [
        ['a', 'Foreground', 'foregroundDeletion'],
        ['b', 'Orphan', 'orphan'],
      ] as const) {
        await api.create(deployments, 'default', deployment(name));
        await api.delete(deployments, { namespace: 'default', name }, { propagationPolicy: policy });
        const { metadata } = await api.get(deployments, { namespace: 'default', name });
        assert.deepEqual([metadata.finalizers, metadata.deletionTimestamp !== undefined], [[finalizer], true]);
      }
    });

    on('a pod on a node is deleted in two steps, one without a node in one', async (api) => {
      await api.create(serviceAccounts, 'default', { metadata: { name: 'default' } }).catch(() => undefined);
      await api.create(nodes, undefined, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'edge-1' } });
      await api.create(pods, 'default', pod('loose'));
      await api.delete(pods, { namespace: 'default', name: 'loose' });
      await assert.rejects(api.get(pods, { namespace: 'default', name: 'loose' }), refusedWith('NotFound'));

      const target = { namespace: 'default', name: 'bound' };
      await api.create(pods, 'default', pod('bound', { nodeName: 'edge-1', terminationGracePeriodSeconds: 20 }));
      await api.delete(pods, target);
      const { metadata } = await api.get(pods, target);
      assert.equal(metadata.deletionGracePeriodSeconds, 20);
      await api.delete(pods, target, { gracePeriodSeconds: 0 });
      await assert.rejects(api.get(pods, target), refusedWith('NotFound'));
    });

    on('a binding gives a pod its node, once', async (api) => {
      await api.create(pods, 'default', pod('a'));
      const binding = {
        apiVersion: 'v1',
        kind: 'Binding',
        metadata: { name: 'a' },
        target: { kind: 'Node', name: 'edge-1' },
      };
      const bind = () => api.create(pods, 'default', binding, { subresource: { name: 'a', subresource: 'binding' } });
      await bind();
      const bound = await api.get(pods, { namespace: 'default', name: 'a' });
      assert.equal((bound['spec'] as { nodeName: string }).nodeName, 'edge-1');
      const { conditions } = bound['status'] as { conditions: { type: string; status: string }[] };
      assert.equal(conditions.find(({ type }) => type === 'PodScheduled')?.status, 'True');
      await assert.rejects(bind(), refusedWith('Conflict'));
    });

    on('a deleted namespace stays until it is finalized', async (api) => {
      const created = await api.create(namespaces, undefined, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'shop' },
      });
      assert.deepEqual([created['spec'], created['status']], [{ finalizers: ['kubernetes'] }, { phase: 'Active' }]);
      await api.delete(namespaces, { name: 'shop' });
      const leaving = await api.get(namespaces, { name: 'shop' });
      assert.deepEqual(leaving['status'], { phase: 'Terminating' });
      await api.update(namespaces, { ...leaving, spec: { finalizers: [] } }, { subresource: 'finalize' });
      await assert.rejects(api.get(namespaces, { name: 'shop' }), refusedWith('NotFound'));
    });

    on('discovery names every group and what is in it', async (api) => {
      const { groups } = JSON.parse((await api.raw('/apis')).body) as { groups: { name: string }[] };
      assert.ok(groups.some(({ name }) => name === 'apps'));
      const { resources } = JSON.parse((await api.raw('/api/v1', { signal: never })).body) as {
        resources: { name: string; namespaced: boolean; verbs: string[] }[];
      };
      const found = resources.find(({ name }) => name === 'configmaps');
      assert.ok(found?.namespaced && found.verbs.includes('delete'));
    });
  });
}
