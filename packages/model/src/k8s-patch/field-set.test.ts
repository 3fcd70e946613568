import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  decodeFieldSet,
  difference,
  encodeFieldSet,
  formatPath,
  intersection,
  keyElement,
  pathsOf,
  setOfFields,
  setOfPaths,
  union,
  valueElement,
  without,
} from './field-set.ts';
import type { FieldSet } from './field-set.ts';

const element = fc.constantFrom('f:a', 'f:b', 'k:{"name":"x"}', 'k:{"name":"y"}', 'v:"s"', 'v:1');
const sets = fc
  .array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 8 })
  .map((paths): FieldSet => setOfPaths(...paths));
const paths = (set: FieldSet): string[] => pathsOf(set).map((path) => path.join('/'));

describe('field sets', () => {
  it('behave like sets of paths', () => {
    fc.assert(
      fc.property(sets, sets, (a, b) => {
        const [x, y] = [paths(a), paths(b)];
        assert.deepEqual(new Set(paths(union(a, b))), new Set([...x, ...y]));
        assert.deepEqual(
          paths(intersection(a, b)),
          x.filter((path) => y.includes(path)),
        );
        assert.deepEqual(
          paths(difference(a, b)),
          x.filter((path) => !y.includes(path)),
        );
      }),
    );
  });

  it('survive being stored', () => {
    fc.assert(
      fc.property(sets, (set) => {
        const stored = JSON.parse(JSON.stringify(encodeFieldSet(set))) as unknown;
        assert.deepEqual(paths(decodeFieldSet(stored)!), paths(set));
      }),
    );
  });

  it('are stored with fields first and a dot for members that have more below', () => {
    const set = setOfPaths(
      [
        'f:spec',
        'f:ports',
        keyElement([
          ['protocol', 'TCP'],
          ['port', 80],
        ]),
      ],
      [
        'f:spec',
        'f:ports',
        keyElement([
          ['protocol', 'TCP'],
          ['port', 80],
        ]),
        'f:port',
      ],
      ['f:metadata', 'f:finalizers', valueElement('x')],
    );
    assert.deepEqual(encodeFieldSet(set), {
      'f:metadata': { 'f:finalizers': { 'v:"x"': {} } },
      'f:spec': { 'f:ports': { 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {} } } },
    });
  });

  it('name paths as people write them', () => {
    const path = ['f:spec', 'f:containers', 'k:{"name":"web"}', 'f:args', 'v:"x"'];
    assert.equal(formatPath(path), '.spec.containers[name="web"].args[="x"]');
  });

  it('can lose a member with everything below it', () => {
    const set = setOfFields('status', 'status.phase', 'spec.replicas');
    assert.deepEqual(paths(without(set, setOfFields('status'))), ['f:spec/f:replicas']);
  });

  for (const stored of [null, 1, [], { spec: {} }, { 'f:a': 1 }, { 'k:x': {} }, { 'k:1': {} }, { 'v:': {} }]) {
    it(`refuse ${JSON.stringify(stored)}`, () => assert.equal(decodeFieldSet(stored), undefined));
  }

  it('refuse a document without end', () => {
    let stored: object = {};
    for (let depth = 0; depth < 10_000; depth += 1) stored = { 'f:a': stored };
    assert.equal(decodeFieldSet(stored), undefined);
  });
});
