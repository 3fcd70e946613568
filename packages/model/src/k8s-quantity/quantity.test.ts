import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  addQuantities,
  canonicalQuantity,
  compareQuantities,
  formatQuantity,
  parseQuantity,
  quantity,
  quantityMillis,
  quantityUnits,
  subtractQuantities,
} from './index.ts';

describe('quantities', () => {
  const canonical: readonly [string | number, string][] = [
    ['0', '0'],
    ['0Gi', '0'],
    ['500m', '500m'],
    ['0.5', '500m'],
    ['1000m', '1'],
    [1, '1'],
    [0.1, '100m'],
    ['+1', '1'],
    ['-1500m', '-1500m'],
    ['1.', '1'],
    ['.5', '500m'],
    ['1024Ki', '1Mi'],
    ['1.5Gi', '1536Mi'],
    ['1000Mi', '1000Mi'],
    ['128974848', '128974848'],
    ['129e6', '129e6'],
    ['129M', '129M'],
    ['1000000', '1M'],
    ['12e1', '120'],
    ['1e3', '1e3'],
    ['100e-2', '1'],
    ['1E', '1E'],
    ['1000E', '1000E'],
    ['512', '512'],
    ['0.5Ki', '512'],
    ['0.0001Ki', '102400u'],
    ['0.3Gi', '322122547200m'],
    ['1n', '1n'],
    ['0.1n', '1n'],
    ['9000000000Gi', '9223372036854775807'],
  ];
  for (const [written, text] of canonical) {
    it(`writes ${written} as ${text}`, () => assert.equal(canonicalQuantity(written), text));
  }

  for (const text of [
    '',
    'abc',
    '1.2.3',
    '1 Gi',
    '1gi',
    '1KI',
    '1e',
    '1e1.5',
    '1mm',
    '--1',
    '.',
    '1Gi2',
    '1e99999',
    'Infinity',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseQuantity(text), undefined));
  }

  it('says what a quantity looks like when it is given something else', () => {
    assert.throws(() => quantity('1 GB'), { code: 'QUANTITY_MALFORMED' });
  });

  it('compares across suffixes', () => {
    assert.equal(compareQuantities(quantity('1Gi'), quantity('1G')), 1);
    assert.equal(compareQuantities(quantity('1000m'), quantity('1')), 0);
    assert.equal(compareQuantities(quantity('999Ki'), quantity('1Mi')), -1);
  });

  it('adds exactly, in the format of the first operand', () => {
    assert.equal(formatQuantity(addQuantities(quantity('500m'), quantity('1'))), '1500m');
    assert.equal(formatQuantity(addQuantities(quantity('1Gi'), quantity('512Mi'))), '1536Mi');
    assert.equal(formatQuantity(addQuantities(quantity('0'), quantity('1Gi'))), '1Gi');
    assert.equal(formatQuantity(subtractQuantities(quantity('1'), quantity('1100m'))), '-100m');
  });

  it('rounds up to whole units and thousandths', () => {
    assert.equal(quantityUnits(quantity('1500m')), 2n);
    assert.equal(quantityMillis(quantity('1.0001')), 1001n);
  });

  it('reads back what it writes', () => {
    const format = fc.constantFrom('binarySI' as const, 'decimalSI' as const, 'decimalExponent' as const);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }), format, (nano, written) => {
        const text = formatQuantity({ nano, format: written });
        assert.equal(quantity(text).nano, nano);
        assert.equal(canonicalQuantity(text), text);
      }),
    );
  });
});
