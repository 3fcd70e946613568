// What pods refer to, and which nodes need it; the table kept step by step equals one made anew at the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { nodeName } from '@kedge/model/k8s';
import { podReferences } from '@kedge/model/k8s-pods';
import type { Pod, PodSpec } from '@kedge/model/k8s-types';
import { Locations } from './locations.ts';

const pod = (name: string, node: string | undefined, spec: Partial<PodSpec> = {}): Pod => ({
  metadata: { name, namespace: 'default' },
  spec: { containers: [], ...(node === undefined ? {} : { nodeName: node }), ...spec },
});

const references: [string, Partial<PodSpec>, string[]][] = [
  ['nothing', {}, []],
  ['a ConfigMap volume', { volumes: [{ name: 'v', configMap: { name: 'a' } }] }, ['configmap/a']],
  ['a Secret volume', { volumes: [{ name: 'v', secret: { secretName: 'a' } }] }, ['secret/a']],
  [
    'projected sources',
    {
      volumes: [
        {
          name: 'v',
          projected: {
            sources: [{ configMap: { name: 'a' } }, { secret: { name: 'b' } }, { serviceAccountToken: { path: 't' } }],
          },
        },
      ],
    },
    ['configmap/a', 'secret/b'],
  ],
  ['a claim', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'a' } }] }, ['persistentvolumeclaim/a']],
  ['a claim of its own', { volumes: [{ name: 'v', ephemeral: {} }] }, ['persistentvolumeclaim/web-v']],
  [
    'secrets of volume drivers',
    { volumes: [{ name: 'v', csi: { driver: 'd', nodePublishSecretRef: { name: 'a' } } }] },
    ['secret/a'],
  ],
  [
    'environment',
    {
      containers: [
        {
          name: 'c',
          env: [
            { name: 'X', valueFrom: { configMapKeyRef: { name: 'a', key: 'k' } } },
            { name: 'Y', valueFrom: { secretKeyRef: { name: 'b', key: 'k' } } },
          ],
          envFrom: [{ configMapRef: { name: 'c' } }, { secretRef: { name: 'd' } }],
        },
      ],
    },
    ['configmap/a', 'configmap/c', 'secret/b', 'secret/d'],
  ],
  [
    'environment of init containers',
    { initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 'a' } }] }] },
    ['secret/a'],
  ],
  ['pull secrets', { imagePullSecrets: [{ name: 'a' }] }, ['secret/a']],
];

for (const [what, spec, expected] of references) {
  test(`a pod with ${what} refers to ${expected.join(', ') || 'nothing'}`, () => {
    const found = podReferences(pod('web', 'n1', spec)).map(({ type, name }) => `${type}/${name}`);
    assert.deepEqual(found.sort(), expected);
  });
}

test('an object stays with a node until the last pod that refers to it is gone', () => {
  const uses = { volumes: [{ name: 'v', configMap: { name: 'a' } }] };
  const locations = new Locations();
  locations.put(pod('one', 'n1', uses));
  locations.put(pod('two', 'n1', uses));
  locations.put(pod('three', 'n2', uses));
  assert.deepEqual(locations.nodesOf('configmap', 'default', 'a'), ['n1', 'n2']);
  locations.remove(pod('one', 'n1'));
  assert.equal(locations.uses(nodeName('n1'), 'configmap', 'default', 'a'), true);
  locations.remove(pod('two', 'n1'));
  assert.equal(locations.uses(nodeName('n1'), 'configmap', 'default', 'a'), false);
  assert.deepEqual(locations.nodesOf('configmap', 'default', 'a'), ['n2']);
});

test('kept step by step, the table equals one made of the pods that are left', () => {
  const names = fc.constantFrom('a', 'b', 'c');
  const step = fc.record({
    name: names,
    node: fc.option(fc.constantFrom('n1', 'n2'), { nil: undefined }),
    maps: fc.array(names, { maxLength: 3 }),
    remove: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const kept = new Locations();
      const alive = new Map<string, Pod>();
      for (const { name, node, maps, remove } of steps) {
        const one = pod(name, node, { volumes: maps.map((map, i) => ({ name: `v${i}`, configMap: { name: map } })) });
        if (remove) kept.remove(one);
        else kept.put(one);
        if (remove) alive.delete(name);
        else alive.set(name, one);
      }
      const anew = new Locations();
      for (const one of alive.values()) anew.put(one);
      for (const name of ['a', 'b', 'c']) {
        const of = (locations: Locations) => locations.nodesOf('configmap', 'default', name).sort();
        assert.deepEqual(of(kept), of(anew));
      }
    }),
  );
});
