import assert from 'node:assert/strict';
import { test } from 'node:test';
import { indexBy } from './index-by.ts';
import type { InformerListener } from './informer.ts';

interface Pod {
  readonly name: string;
  readonly node?: string;
}

function setUp() {
  let listener: InformerListener<Pod> = {};
  const informer = {
    listen: (one: InformerListener<Pod>) => {
      listener = one;
      return () => undefined;
    },
  };
  const byNode = indexBy(
    informer,
    (pod: Pod) => pod.name,
    (pod) => (pod.node ? [pod.node] : []),
  );
  const names = (node: string) => [...byNode.get(node)].map(({ name }) => name);
  return {
    put: (pod: Pod) => listener.onPut?.(pod, undefined),
    drop: (pod: Pod) => listener.onDelete?.(pod),
    byNode,
    names,
  };
}

test('an object is found under its value and moves with it', () => {
  const { put, names, byNode } = setUp();
  put({ name: 'a' });
  assert.deepEqual([...byNode.values()], []);
  put({ name: 'a', node: 'edge-1' });
  put({ name: 'b', node: 'edge-1' });
  assert.deepEqual(names('edge-1'), ['a', 'b']);
  put({ name: 'a', node: 'edge-2' });
  assert.deepEqual([names('edge-1'), names('edge-2')], [['b'], ['a']]);
});

test('a deleted object is gone from the index even if its last state says another value', () => {
  const { put, drop, names, byNode } = setUp();
  put({ name: 'a', node: 'edge-1' });
  drop({ name: 'a', node: 'edge-9' });
  assert.deepEqual(names('edge-1'), []);
  assert.deepEqual([...byNode.values()], []);
});
