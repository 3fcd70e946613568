// Objects that need not be completed when they are read: those of a collection that one kind has written since.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Kind } from '../kinds/kind.ts';
import { createWholeObjects } from './whole-objects.ts';

const kindOf = (isCustom: boolean): Kind => ({ collection: 'widgets.example.com', isCustom }) as Kind;

test('what a kind has written is whole to it, and nothing that was there before', () => {
  const whole = createWholeObjects();
  const kind = kindOf(true);
  assert.equal(whole.isWhole(kind, 1), false);
  whole.wrote(kind, 5, true);
  whole.wrote(kind, 6, true);
  assert.deepEqual(
    [4, 5, 6].map((revision) => whole.isWhole(kind, revision)),
    [false, true, true],
  );
});

test('a changed definition, another version and a conversion each begin anew', () => {
  const whole = createWholeObjects();
  const [before, after] = [kindOf(true), kindOf(true)];
  whole.wrote(before, 5, true);
  assert.equal(whole.isWhole(after, 5), false);
  // A request that had begun under the old definition.
  whole.wrote(after, 6, true);
  whole.wrote(before, 7, true);
  whole.wrote(after, 8, true);
  assert.deepEqual(
    [6, 7, 8].map((revision) => whole.isWhole(after, revision)),
    [false, false, true],
  );
  whole.wrote(after, 9, false);
  assert.equal(whole.isWhole(after, 9), false);
  whole.wrote(after, 10, true);
  assert.deepEqual([whole.isWhole(after, 9), whole.isWhole(after, 10)], [false, true]);
});

test('a commit that failed takes nothing with it', () => {
  const whole = createWholeObjects();
  const [one, other] = [kindOf(true), kindOf(true)];
  whole.wrote(one, 5, true);
  // Revision 6 is undone, and then somebody else's.
  whole.wrote(one, 6, true);
  whole.wrote(other, 6, true);
  assert.equal(whole.isWhole(one, 6), false);
});

test('built-in kinds have nothing to complete', () => {
  const whole = createWholeObjects();
  const kind = kindOf(false);
  whole.wrote(kind, 5, true);
  assert.equal(whole.isWhole(kind, 5), false);
});
