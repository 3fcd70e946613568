import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { loadBuiltinSchemas, shapeOf } from '../k8s-schema/index.ts';
import { strategicMerge } from './index.ts';
import type { JsonObject, Shape } from './index.ts';

let shape: Shape;
before(async () => {
  shape = shapeOf((await loadBuiltinSchemas()).ofKind('apps/v1', 'Deployment')!);
});

const podShape = () => shape.field('spec')!.field('template')!.field('spec')!;
const metaShape = () => shape.field('metadata')!;

interface Case {
  readonly it: string;
  readonly of?: () => Shape | undefined;
  readonly from: JsonObject;
  readonly patch: JsonObject;
  readonly to: JsonObject;
}

const containers = [
  { name: 'a', image: 'a:1', env: [{ name: 'X', value: '1' }] },
  { name: 'b', image: 'b:1' },
];

const cases: readonly Case[] = [
  {
    it: 'merges containers by name and keeps the others',
    from: { containers },
    patch: { containers: [{ name: 'b', image: 'b:2' }] },
    to: { containers: [containers[0], { name: 'b', image: 'b:2' }] },
  },
  {
    it: 'merges lists inside list elements',
    from: { containers },
    patch: { containers: [{ name: 'a', env: [{ name: 'Y', value: '2' }] }] },
    to: {
      containers: [
        {
          name: 'a',
          image: 'a:1',
          env: [
            { name: 'Y', value: '2' },
            { name: 'X', value: '1' },
          ],
        },
        containers[1],
      ],
    },
  },
  {
    it: 'appends an element with an unknown key, without its nulls',
    from: { containers },
    patch: { containers: [{ name: 'c', image: 'c:1', command: null }] },
    to: { containers: [{ name: 'c', image: 'c:1' }, ...containers] },
  },
  {
    it: 'deletes an element with $patch: delete',
    from: { containers },
    patch: { containers: [{ $patch: 'delete', name: 'a' }] },
    to: { containers: [containers[1]] },
  },
  {
    it: 'replaces a list with $patch: replace',
    from: { containers },
    patch: { containers: [{ name: 'z' }, { $patch: 'replace' }] },
    to: { containers: [{ name: 'z' }] },
  },
  {
    it: 'replaces an object with $patch: replace',
    from: { securityContext: { runAsUser: 1, fsGroup: 2 } },
    patch: { securityContext: { $patch: 'replace', runAsUser: 3 } },
    to: { securityContext: { runAsUser: 3 } },
  },
  {
    it: 'keeps the content of a replaced object that was not there',
    from: {},
    patch: { securityContext: { $patch: 'replace', runAsUser: 3 } },
    to: { securityContext: { runAsUser: 3 } },
  },
  {
    it: 'empties an object with $patch: delete',
    from: { nodeSelector: { a: 'b' } },
    patch: { nodeSelector: { $patch: 'delete' } },
    to: { nodeSelector: {} },
  },
  {
    it: 'merges with $patch: merge as without it',
    from: { nodeSelector: { a: 'b' } },
    patch: { nodeSelector: { $patch: 'merge', c: 'd' } },
    to: { nodeSelector: { a: 'b', c: 'd' } },
  },
  {
    it: 'orders elements by $setElementOrder, others where they were',
    from: { containers: [{ name: 'a' }, { name: 'server' }, { name: 'b' }] },
    patch: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }], containers: [{ name: 'a', image: 'x' }] },
    to: { containers: [{ name: 'server' }, { name: 'b' }, { name: 'a', image: 'x' }] },
  },
  {
    it: 'orders elements even when the patch changes none',
    from: { containers: [{ name: 'a' }, { name: 'b' }] },
    patch: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] },
    to: { containers: [{ name: 'b' }, { name: 'a' }] },
  },
  {
    it: 'keeps only $retainKeys in a union',
    of: () => shape.field('spec'),
    from: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } },
    patch: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    to: { strategy: { type: 'Recreate' } },
  },
  {
    it: 'unites lists of scalars',
    of: metaShape,
    from: { finalizers: ['a', 'b'] },
    patch: { finalizers: ['c', 'a'] },
    to: { finalizers: ['c', 'a', 'b'] },
  },
  {
    it: 'deletes from lists of scalars',
    of: metaShape,
    from: { finalizers: ['a', 'b', 'c'] },
    patch: { '$deleteFromPrimitiveList/finalizers': ['b'], '$setElementOrder/finalizers': ['c', 'a'] },
    to: { finalizers: ['c', 'a'] },
  },
  {
    it: 'replaces lists that do not merge',
    from: { containers: [{ name: 'a', args: ['1', '2'] }] },
    patch: { containers: [{ name: 'a', args: ['3'] }] },
    to: { containers: [{ name: 'a', args: ['3'] }] },
  },
  {
    it: 'removes fields with null',
    from: { nodeName: 'n', hostname: 'h' },
    patch: { nodeName: null, missing: null },
    to: { hostname: 'h' },
  },
  {
    it: 'replaces lists where there is no schema',
    of: () => undefined,
    from: { items: [{ name: 'a' }], map: { x: 1 } },
    patch: { items: [{ name: 'b' }], map: { y: 2 } },
    to: { items: [{ name: 'b' }], map: { x: 1, y: 2 } },
  },
];

describe('strategic merge patch', () => {
  for (const { it: sentence, of = podShape, from, patch, to } of cases) {
    it(sentence, () => {
      const inputs = JSON.stringify([from, patch]);
      assert.deepEqual(strategicMerge(from, patch, of()), to);
      assert.equal(JSON.stringify([from, patch]), inputs, 'the arguments stay as they were');
    });
  }

  const refused: readonly [string, JsonObject, RegExp][] = [
    ['an unknown directive', { $patch: 'frob' }, /unknown patch type: "frob"/],
    ['an element without its key', { containers: [{ image: 'x' }] }, /does not contain declared merge key: name/],
    ['a list of lists', { containers: [['x']] }, /lists of lists/],
    ['mixed elements', { containers: ['x'] }, /list element types are not identical/],
    ['retained keys that are no list', { $retainKeys: 'x' }, /invalid patch format of retainKeys/],
    ['a field that is set but not retained', { $retainKeys: ['x'], nodeName: 'y' }, /"nodeName" is set but not listed/],
    ['an order that is no list', { '$setElementOrder/containers': 'x' }, /invalid patch format of setElementOrder/],
    [
      'an order that contradicts the list',
      { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'b' }] },
      /doesn't match \$setElementOrder/,
    ],
  ];
  for (const [what, patch, why] of refused) {
    it(`refuses ${what}`, () => assert.throws(() => strategicMerge({ containers }, patch, podShape()), why));
  }
});
