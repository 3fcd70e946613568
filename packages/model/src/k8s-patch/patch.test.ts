import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { isStatus } from '../k8s/index.ts';
import { isObject, jsonEqual, jsonPatch, mergePatch } from './index.ts';

describe('JSON merge patch', () => {
  // The examples of RFC 7386, appendix A.
  const cases: readonly [unknown, unknown, unknown][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases) {
    it(`turns ${JSON.stringify(target)} with ${JSON.stringify(patch)} into ${JSON.stringify(result)}`, () => {
      assert.deepEqual(mergePatch(target, patch), result);
    });
  }

  it('treats __proto__ as a field like any other', () => {
    const result = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}')) as Record<string, unknown>;
    assert.deepEqual(Object.keys(result), ['__proto__']);
    assert.equal(result['polluted'], undefined);
  });

  it('is idempotent and leaves its arguments alone', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (target, patch) => {
        const before = JSON.stringify([target, patch]);
        const once = mergePatch(target, patch);
        assert.ok(jsonEqual(mergePatch(once, patch), once));
        assert.equal(JSON.stringify([target, patch]), before);
        if (isObject(once)) assert.ok(isObject(patch));
      }),
    );
  });
});

describe('JSON patch', () => {
  it('adds, removes, replaces, moves, copies and tests', () => {
    const patched = jsonPatch({ a: 1, list: ['x'] }, [
      { op: 'test', path: '/a', value: 1 },
      { op: 'add', path: '/list/-', value: 'y' },
      { op: 'replace', path: '/a', value: 2 },
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'move', from: '/b', path: '/c~1d' },
      { op: 'remove', path: '/list/0' },
    ]);
    assert.deepEqual(patched, { a: 2, list: ['y'], 'c/d': 2 });
  });

  it('replaces the whole document at the empty path', () => {
    assert.deepEqual(jsonPatch({ a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }]), { b: 2 });
  });

  const refused: readonly [string, unknown][] = [
    ['a failing test', [{ op: 'test', path: '/a', value: 2 }]],
    ['a missing path', [{ op: 'remove', path: '/nope' }]],
    ['an unknown operation', [{ op: 'frob', path: '/a' }]],
    ['an add without value', [{ op: 'add', path: '/a' }]],
    ['a path that is no pointer', [{ op: 'add', path: 'a', value: 1 }]],
    ['an index beyond the list', [{ op: 'add', path: '/list/5', value: 1 }]],
    ['an operation that is no object', [7]],
  ];
  for (const [what, patch] of refused) {
    it(`refuses ${what} as a whole`, () => {
      const target = { a: 1, list: [] };
      assert.throws(
        () => jsonPatch(target, patch),
        (error) => isStatus(error, 'Invalid'),
      );
      assert.deepEqual(target, { a: 1, list: [] });
    });
  }

  it('refuses what is no list, and lists beyond the limit', () => {
    assert.throws(
      () => jsonPatch({}, { op: 'add' }),
      (error) => isStatus(error, 'BadRequest'),
    );
    const many = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: {} }));
    assert.throws(
      () => jsonPatch({}, many),
      (error) => isStatus(error, 'RequestEntityTooLarge'),
    );
  });
});
