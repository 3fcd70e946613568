import assert from 'node:assert/strict';
import { test } from 'node:test';
import { byPriority, readJsonPath } from './custom-kinds.ts';

test('versions are offered stable before beta before alpha, newest first, strange ones last', () => {
  const names = ['v1alpha1', 'foo10', 'v1beta2', 'v10', 'v1', 'v2', 'v1beta1', 'foo1'];
  assert.deepEqual(names.sort(byPriority), ['v10', 'v2', 'v1', 'v1beta2', 'v1beta1', 'v1alpha1', 'foo1', 'foo10']);
});

test('printer columns read fields, elements and elements by a value', () => {
  const object = {
    metadata: { name: 'x', annotations: { 'a.b/c': 'noted' } },
    spec: { list: [{ n: 1 }, { n: 2 }] },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  };
  for (const [path, value] of [
    ['.metadata.name', 'x'],
    ['.spec.list[1].n', 2],
    ['.spec.list[*].n', 1],
    ['.spec.none.at.all', undefined],
    [".metadata.annotations['a.b/c']", 'noted'],
    ['.metadata.annotations.a\\.b/c', undefined],
    ['.status.conditions[?(@.type=="Ready")].status', 'True'],
    [".status.conditions[?(@.type=='Other')].status", undefined],
  ] as const) {
    assert.equal(readJsonPath(object, path), value, path);
  }
});
