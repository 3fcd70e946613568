import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCollections } from './collections.ts';
import type { ObjectStore, StoredObject } from './object-store.ts';

const stored = (name: string, size = 0): StoredObject => ({
  namespace: 'a',
  name,
  revision: 1,
  body: JSON.stringify({ apiVersion: 'v1', kind: 'LimitRange', metadata: { name }, data: 'x'.repeat(size) }),
});

function storeOf(objects: StoredObject[]) {
  const reads: string[] = [];
  let generation = 0;
  const store = {
    revision: 1,
    generation: (resource: string) => (resource === 'steady' ? 0 : generation),
    get({ name }: { name: string }) {
      reads.push(`get ${name}`);
      return objects.find((one) => one.name === name);
    },
    page({ resource }: { resource: string }) {
      reads.push(`page ${resource}`);
      return objects;
    },
  } as unknown as ObjectStore;
  return { reads, collections: createCollections(store), changed: () => (generation += 1) };
}

describe('what every write asks for', () => {
  it('is read once until its collection changes, also when there is nothing', () => {
    const objects: StoredObject[] = [];
    const { reads, collections, changed } = storeOf(objects);
    for (let n = 0; n < 3; n++) {
      assert.deepEqual(collections.in('limitranges', 'a'), []);
      assert.equal(collections.get('namespaces', '', 'a'), undefined);
    }
    assert.deepEqual(reads, ['page limitranges', 'get a']);
    objects.push(stored('a'));
    changed();
    assert.equal(collections.in('limitranges', 'a')[0]!.metadata.name, 'a');
    assert.equal(collections.get('namespaces', '', 'a')!.metadata.name, 'a');
    assert.equal(reads.length, 4);
  });

  it('tells a namespace from all of them and from an object of that name', () => {
    const { reads, collections } = storeOf([stored('a')]);
    assert.equal(collections.in('limitranges', 'a').length, 1);
    assert.equal(collections.all('limitranges').length, 1);
    assert.equal(collections.get('limitranges', '', 'a')!.metadata.name, 'a');
    assert.equal(reads.length, 3);
  });

  it('cannot be changed by who asks', () => {
    const { collections } = storeOf([stored('a')]);
    const { metadata } = collections.get('limitranges', 'a', 'a')!;
    assert.throws(() => (metadata.name = 'b'), TypeError);
  });

  it('takes its room once, however often it is read anew', () => {
    const { reads, collections, changed } = storeOf([stored('a', 30_000)]);
    collections.get('steady', '', 'other');
    for (let n = 0; n < 40; n++) {
      changed();
      collections.get('limitranges', 'a', 'a');
    }
    assert.equal(reads.length, 41);
    collections.get('steady', '', 'other');
    assert.equal(reads.length, 41);
  });

  it('is not kept when it is big, and what is kept is bounded', () => {
    const big = storeOf([stored('a', 100_000)]);
    for (let n = 0; n < 2; n++) big.collections.get('limitranges', 'a', 'a');
    assert.equal(big.reads.length, 2);
    const many = storeOf(Array.from({ length: 100 }, (_, n) => stored(`o${n}`, 10_000)));
    for (let n = 0; n < 100; n++) many.collections.get('limitranges', 'a', `o${n}`);
    many.collections.get('limitranges', 'a', 'o0');
    assert.equal(many.reads.length, 101);
  });
});
