import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@kedge/model/k8s';
import { OwnershipGraph } from './ownership-graph.ts';

const pods = { group: '', version: 'v1', resource: 'pods' };
const object = (uid: string, owners: string[] = [], metadata: object = {}): KubeObject => ({
  metadata: {
    uid,
    name: uid,
    namespace: 'default',
    ownerReferences: owners.map((owner) => ({
      apiVersion: 'v1',
      kind: 'X',
      name: owner,
      uid: owner,
      blockOwnerDeletion: owner === 'a',
    })),
    ...metadata,
  },
});
const uids = (nodes: { uid: string }[]) => nodes.map(({ uid }) => uid);

test('links follow the references, whichever object comes first', () => {
  const graph = new OwnershipGraph();
  graph.put(pods, object('child', ['a', 'b']));
  assert.equal(graph.get('a')!.at, undefined);
  graph.put(pods, object('a'));
  assert.equal(graph.get('a')!.at!.name, 'a');
  assert.deepEqual([uids(graph.dependents('a')), uids(graph.dependents('b'))], [['child'], ['child']]);
  assert.deepEqual([uids(graph.blocking('a')), uids(graph.blocking('b'))], [['child'], []]);
  graph.put(pods, object('child', ['a']));
  assert.deepEqual([uids(graph.dependents('a')), graph.dependents('b')], [['child'], []]);
});

test('an owner that is gone is remembered until nothing refers to it', () => {
  const graph = new OwnershipGraph();
  graph.put(pods, object('a'));
  graph.put(pods, object('child', ['a']));
  graph.remove('a');
  assert.deepEqual(uids(graph.dependents('a')), ['child']);
  graph.remove('child');
  assert.equal(graph.size, 0);
});

test('a deletion shows how it is meant', () => {
  const graph = new OwnershipGraph();
  const leaving = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  const { node } = graph.put(pods, object('a', [], { ...leaving, finalizers: ['foregroundDeletion'] }));
  assert.deepEqual([node.isLeaving, node.waitsForDependents, node.leavesOrphans], [true, true, false]);
  const orphaning = graph.put(pods, object('b', [], { ...leaving, finalizers: ['orphan'] })).node;
  assert.deepEqual([orphaning.waitsForDependents, orphaning.leavesOrphans], [false, true]);
});
