// JSON values as CEL sees them: an object is read piece by piece, and is a map like any other all the same.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { deepEqual, sizeOf, toDynamic } from './values.ts';

/** The same without any laziness. */
function eager(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(eager);
  if (typeof value !== 'object' || value === null) return value;
  return new Map(
    Object.entries(value)
      .filter(([, field]) => field !== undefined)
      .map(([name, field]) => [name, eager(field)]),
  );
}

const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, 1, 2, 0.5, 'a', 'äö'),
    fc.array(tie('json'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'size'), fc.oneof(tie('json'), fc.constant(undefined)), {
      maxKeys: 4,
    }),
  ),
}));
const objects = fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), json, { maxKeys: 4 });
const check = <T>(property: fc.IProperty<T>): void => fc.assert(property, { seed: 7, numRuns: 500 });

describe('an object', () => {
  it('has the fields, the order and the size of its map, whatever was read first', () => {
    check(
      fc.property(objects, fc.constantFrom('a', 'c', '__proto__'), (object, first) => {
        const plain = eager(object) as Map<string, unknown>;
        const map = toDynamic(object) as Map<string, unknown>;
        assert.equal(map.has(first), plain.has(first));
        assert.ok(deepEqual(map.get(first), plain.get(first)));
        assert.deepEqual([...map.keys()], [...plain.keys()]);
        assert.equal(map.size, plain.size);
        assert.ok(deepEqual(map, plain));
        assert.ok(deepEqual([...map.values()], [...plain.values()]));
      }),
    );
  });

  it('counts as much as its map', () => {
    check(fc.property(objects, (object) => assert.equal(sizeOf(toDynamic(object)), sizeOf(eager(object)))));
  });

  it('is equal to what its map is equal to', () => {
    check(
      fc.property(objects, objects, (a, b) => {
        const expected = deepEqual(eager(a), eager(b));
        assert.equal(deepEqual(toDynamic(a), toDynamic(b)), expected);
        assert.equal(deepEqual(toDynamic(a), eager(b)), expected);
      }),
    );
  });
});
