import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { applyPatch } from 'rfc6902';
import type { Operation } from 'rfc6902';
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
    ['a word for an index', [{ op: 'add', path: '/list/x', value: 1 }]],
    ['a negative index', [{ op: 'add', path: '/list/-1', value: 1 }]],
    ['the end of a list as something to remove', [{ op: 'remove', path: '/list/-' }]],
    ['a replacement of what is not there', [{ op: 'replace', path: '/nope', value: 1 }]],
    ['a field of a number', [{ op: 'add', path: '/a/b', value: 1 }]],
    ['the prototype of an object', [{ op: 'add', path: '/__proto__/polluted', value: 1 }]],
    ['the removal of everything', [{ op: 'remove', path: '' }]],
    ['a move into itself', [{ op: 'move', from: '/list', path: '/list/x' }]],
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

  it('refuses copies that would fill the memory', () => {
    const doublings = Array.from({ length: 40 }, (_, i) => ({ op: 'copy', from: '/a', path: `/a/c${i}` }));
    assert.throws(
      () => jsonPatch({ a: { text: 'x'.repeat(100) } }, doublings),
      (error) => isStatus(error, 'RequestEntityTooLarge'),
    );
  });

  it('treats constructor and __proto__ as fields like any other', () => {
    const patched = jsonPatch({ constructor: 1 }, [
      { op: 'replace', path: '/constructor', value: 2 },
      { op: 'add', path: '/__proto__', value: { polluted: true } },
    ]);
    assert.equal(JSON.stringify(patched), '{"constructor":2,"__proto__":{"polluted":true}}');
  });

  it('does what the rfc6902 package does', () => {
    const pointer = fc.constantFrom('', '/a', '/a/b', '/list', '/list/0', '/list/1', '/list/-', '/list/9');
    const op = fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test');
    const value = fc.constantFrom<unknown>(0, 1, 'x', { b: 1 }, [1]);
    const operations = fc.array(fc.record({ op, path: pointer, from: pointer, value }), { maxLength: 4 });
    fc.assert(
      fc.property(operations, (patch) => {
        const holder = { document: { a: { b: 1 }, list: [1, 2] } as unknown };
        const inHolder = patch.map((operation) => ({
          ...operation,
          path: `/document${operation.path}`,
          from: `/document${operation.from}`,
        }));
        let ours: unknown;
        try {
          ours = jsonPatch(holder.document, patch);
        } catch {
          return; // We refuse more: indices beyond the end, moves into oneself, the removal of everything.
        }
        assert.ok(applyPatch(holder, inHolder as Operation[]).every((failed) => failed === null));
        assert.deepEqual(ours, holder.document);
      }),
      { numRuns: 500 },
    );
  });

  it('reads any operations without harm', () => {
    const pointer = fc.constantFrom('', '/a', '/list', '/list/0', '/list/-', '/list/9', '/__proto__', '/a/b', 'x');
    const op = fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test');
    const operations = fc.array(fc.record({ op, path: pointer, from: pointer, value: fc.jsonValue() }), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(operations, (patch) => {
        try {
          jsonPatch({ a: { b: 1 }, list: [1, 2] }, patch);
        } catch (error) {
          assert.ok(isStatus(error), String(error));
        }
        assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
      }),
    );
  });

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
