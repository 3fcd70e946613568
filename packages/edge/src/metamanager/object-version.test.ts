import assert from 'node:assert/strict';
import { test } from 'node:test';
import { supersedes } from './object-version.ts';

const early = '2026-01-01T00:00:00Z';
const later = '2026-01-02T00:00:00Z';
const of = (uid: string, version: string, created = early) => ({ uid, version, created });

const table: readonly [
  name: string,
  next: ReturnType<typeof of>,
  stored: ReturnType<typeof of> | undefined,
  boolean,
][] = [
  ['nothing is stored', of('a', '1'), undefined, true],
  ['it is newer', of('a', '10'), of('a', '9'), true],
  ['it is the same', of('a', '9'), of('a', '9'), false],
  ['it is older', of('a', '9'), of('a', '10'), false],
  ['another incarnation was made later, in a cloud that counts anew', of('b', '3', later), of('a', '900'), true],
  ['another incarnation was made earlier', of('b', '901', early), of('a', '900', later), false],
  ['another incarnation of the same second is newer', of('b', '901'), of('a', '900'), true],
  ['its version is no number', of('a', 'x'), of('a', '1'), false],
];

for (const [name, next, stored, expected] of table) {
  test(`an object ${expected ? 'replaces' : 'does not replace'} the stored one: ${name}`, () =>
    assert.equal(supersedes(next, stored), expected));
}
