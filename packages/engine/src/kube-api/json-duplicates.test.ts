import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert as check, json, property } from 'fast-check';
import { duplicateFields } from './json-duplicates.ts';

describe('duplicate fields', () => {
  for (const [text, paths] of [
    ['{"a":1,"b":{"a":2}}', []],
    ['{"a":1,"a":2}', ['a']],
    ['{"spec":{"containers":[{"name":"x"},{"image":"y","image":"z"}]}}', ['spec.containers[1].image']],
    ['{"a":"{\\"a\\":1,","b":["a","a"]}', []],
    ['{"a":{"b":1},"a":{"b":2,"\\u0062":3}}', ['a', 'a.b']],
    ['[]', []],
  ] as const) {
    test(`${text} has ${paths.length}`, () => assert.deepEqual(duplicateFields(text), paths));
  }

  test('text made from a value has none', () => {
    check(property(json(), (text) => assert.deepEqual(duplicateFields(JSON.stringify(JSON.parse(text))), [])));
  });
});
