import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { instant } from '@kedge/core/time';
import { hasCondition, removeCondition, setCondition } from './index.ts';

const first = instant(Date.parse('2026-01-01T00:00:00Z'));
const later = instant(Date.parse('2026-01-02T00:00:00Z'));

describe('conditions', () => {
  it('start with the time at which they are first set', () => {
    assert.deepEqual(setCondition(undefined, { type: 'Ready', status: 'True' }, first), [
      { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ]);
  });

  it('keep their transition time while only the message changes', () => {
    const before = setCondition(undefined, { type: 'Ready', status: 'False', message: 'a' }, first);
    const after = setCondition(before, { type: 'Ready', status: 'False', message: 'b' }, later);
    assert.deepEqual(after, [
      { type: 'Ready', status: 'False', message: 'b', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ]);
  });

  it('move their transition time with the status, and keep their place', () => {
    const before = setCondition(
      setCondition(undefined, { type: 'A', status: 'True' }, first),
      { type: 'B', status: 'True' },
      first,
    );
    const after = setCondition(before, { type: 'A', status: 'False' }, later);
    assert.deepEqual(after[0], { type: 'A', status: 'False', lastTransitionTime: '2026-01-02T00:00:00Z' });
    assert.equal(after[1], before[1]);
  });

  it('are the same list when nothing changes', () => {
    const before = setCondition(undefined, { type: 'Ready', status: 'True', reason: 'r' }, first);
    assert.equal(setCondition(before, { type: 'Ready', status: 'True', reason: 'r' }, later), before);
  });

  it('can be asked for and removed', () => {
    const conditions = setCondition(undefined, { type: 'Ready', status: 'True' }, first);
    assert.equal(hasCondition(conditions, 'Ready'), true);
    assert.equal(hasCondition(conditions, 'Ready', 'False'), false);
    assert.deepEqual(removeCondition(conditions, 'Ready'), []);
  });
});
