import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addressPool, formatIPv4, NumberPool, parseIPv4, rangeErrors } from './address-range.ts';

const random = { next: () => 0, uuid: () => '' };

describe('a pool', () => {
  test('gives every number once and says when it is empty', () => {
    const pool = new NumberPool(1, 3);
    assert.deepEqual([pool.takeAny('a', random), pool.takeAny('b', random), pool.takeAny('c', random)], [1, 2, 3]);
    assert.equal(pool.takeAny('d', random), undefined);
    assert.equal(pool.take(2, 'd'), false);
    assert.equal(pool.take(2, 'b'), true);
    pool.keepOnly('b', new Set());
    assert.equal(pool.takeAny('d', random), 2);
  });

  test('of a network leaves out its own and the broadcast address', () => {
    const pool = addressPool('10.96.0.0/30');
    assert.deepEqual([formatIPv4(pool.first), formatIPv4(pool.last)], ['10.96.0.1', '10.96.0.2']);
    assert.ok(pool.has(parseIPv4('10.96.0.2')!) && !pool.has(parseIPv4('10.96.0.3')!));
  });

  for (const cidr of ['', '10.96.0.0', '10.96.0.0/31', '10.96.0.0/x', '300.0.0.0/16', 'fd00::/64']) {
    test(`refuses "${cidr}"`, () => assert.throws(() => addressPool(cidr), rangeErrors.BAD_CIDR.is));
  }
});
