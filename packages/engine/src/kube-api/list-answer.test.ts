import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { instant } from '@kedge/core/time';
import { type ListForm, listText } from './list-answer.ts';
import type { ServedResource } from './catalog.ts';
import { documentOfObject } from './object-api.ts';

const resource: ServedResource = {
  group: '',
  version: 'v1',
  resource: 'pods',
  kind: 'Pod',
  singular: 'pod',
  shortNames: [],
  namespaced: true,
  categories: [],
  verbs: ['list'],
  subresources: {},
};
const layout = { columns: [{ name: 'Name', type: 'string', of: () => 'x' }] } as unknown as ListForm['layout'];

const objects = (count: number, size: number) =>
  Array.from({ length: count }, (_, n) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${n}`, namespace: 'default' },
    data: 'x'.repeat(size),
  }));

async function listed(count: number, size: number, how: Partial<ListForm> = {}) {
  const all = objects(count, size);
  const pieces: string[] = [];
  const listing = {
    resourceVersion: '7',
    async *pages() {
      for (let from = 0; from < count; from += 100) yield all.slice(from, from + 100).map(documentOfObject);
    },
    tail: () => ({ continueToken: 'c', remainingItemCount: 3 }),
  };
  const form: ListForm = { form: 'object', layout, include: 'Metadata', now: instant(0), ...how };
  for await (const piece of listText(resource, listing, form)) pieces.push(piece);
  return { pieces, text: pieces.join(''), all };
}

describe('a list as text', () => {
  for (const count of [0, 1, 250]) {
    it(`of ${count} is one JSON document, packed or indented`, async () => {
      const { text, all } = await listed(count, 10);
      const value = JSON.parse(text) as object;
      assert.deepEqual(value, {
        kind: 'PodList',
        apiVersion: 'v1',
        items: all,
        metadata: { resourceVersion: '7', continue: 'c', remainingItemCount: 3 },
      });
      assert.equal(text, `${JSON.stringify(value)}\n`);
      const pretty = await listed(count, 10, { pretty: true });
      assert.equal(pretty.text, `${JSON.stringify(value, undefined, 2)}\n`);
    });
  }

  it('comes in pieces of bounded size', async () => {
    const { pieces } = await listed(300, 2_000);
    assert.ok(pieces.length > 10);
    assert.ok(pieces.every((piece) => piece.length < 64 * 1024));
  });

  it('of metadata only has no more than that', async () => {
    const { text } = await listed(2, 10, { form: 'metadata', pretty: true });
    const value = JSON.parse(text) as { kind: string; items: object[] };
    assert.equal(value.kind, 'PartialObjectMetadataList');
    assert.deepEqual(Object.keys(value.items[0]!).sort(), ['apiVersion', 'kind', 'metadata']);
    assert.equal(text, `${JSON.stringify(value, undefined, 2)}\n`);
  });
});
