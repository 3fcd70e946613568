// Paths into JSON: what can be named, what cannot, and what is there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, nat, oneof, property, string } from 'fast-check';
import { follow, parsePath } from './json-path.ts';

test('paths in all their spellings', () => {
  const table: [string, (string | number)[]][] = [
    ['$', []],
    ['', []],
    ['$.a.b', ['a', 'b']],
    ['a.b', ['a', 'b']],
    ['$.list[0].x', ['list', 0, 'x']],
    ['$[\'a name\']["b.c"]', ['a name', 'b.c']],
    ['[3]', [3]],
    ['$.temp-1', ['temp-1']],
  ];
  for (const [text, steps] of table) assert.deepEqual(parsePath(text), steps, text);
});

test('what the subset does not have is said to be wrong, not guessed at', () => {
  for (const text of [
    '$a',
    '$.a[',
    '$..a',
    '$.*',
    '$.a[*]',
    '$.a[?(@.b)]',
    '$.a b',
    'a[b]',
    '$.a.',
    `$${'.a'.repeat(33)}`,
  ]) {
    assert.equal(typeof parsePath(text), 'string', text);
  }
});

test('follows own keys and places of lists, and nothing else', () => {
  const document = { a: [{ b: 1 }, null], length: 7 };
  assert.equal(follow(document, ['a', 0, 'b']), 1);
  assert.equal(follow(document, ['a', 1]), null);
  assert.equal(follow(document, ['length']), 7);
  for (const steps of [['a', 'length'], ['a', 2], ['b'], ['constructor'], ['__proto__'], ['a', 1, 'x']]) {
    assert.equal(follow(document, steps), undefined, String(steps));
  }
});

test('any key can be named in brackets', () => {
  const key = string({ minLength: 1 }).filter((one) => !one.includes("'"));
  check(
    property(array(oneof(key, nat({ max: 999 })), { maxLength: 5 }), (steps) => {
      const text = `$${steps.map((one) => (typeof one === 'number' ? `[${one}]` : `['${one}']`)).join('')}`;
      assert.deepEqual(parsePath(text), steps);
    }),
  );
});
