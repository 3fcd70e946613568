// The pump fills the tank to where as much runs out as comes in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fill, halfTank, inflow } from './tank.ts';

test('the level settles where as much runs out as comes in', () => {
  const { level } = fill(halfTank, 600);
  assert.ok(level > 68 && level < 71, `${level}`);
});

test('without the pump it runs empty, and at full speed it is full and no more', () => {
  assert.equal(inflow({ ...halfTank, running: false }), 0);
  assert.ok(fill({ ...halfTank, running: false }, 600).level < 0.5);
  assert.equal(fill({ ...halfTank, speed: 100 }, 600).level, 100);
});
