// Values: every type there and back, scaled, in range, or refused with what is wrong.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { assert as check, double, integer, property as forAll, uint8Array } from 'fast-check';
import { milliseconds } from '@kedge/core/time';
import { readCycle } from './device-settings.ts';
import { isWorthTelling } from './report-filter.ts';
import { describeFault } from './sdk-errors.ts';
import { formatNumber, fromText, rangeFault, toText } from './values.ts';

const conversion = { scale: 1, valueOffset: 0, deadband: undefined, onChange: false, maxAge: milliseconds(60_000) };
type Shape = Parameters<typeof toText>[1];
const shape = (
  type: Shape['type'],
  more: Partial<Shape['conversion']> = {},
  range: [number?, number?] = [],
): Shape => ({
  name: 'p',
  type,
  minimum: range[0],
  maximum: range[1],
  conversion: { ...conversion, ...more },
});

describe('a value from a device', () => {
  const cases: [raw: Parameters<typeof toText>[0], as: Shape, text: string][] = [
    [215, shape('FLOAT', { scale: 0.1 }), '21.5'],
    [3, shape('DOUBLE', { scale: 0.1 }), '0.3'],
    [100, shape('FLOAT', { scale: 1.8, valueOffset: 32 }), '212'],
    [Math.fround(0.1), shape('FLOAT'), '0.1'],
    [Math.fround(0.1), shape('DOUBLE'), '0.10000000149011612'],
    [1e21, shape('DOUBLE'), '1000000000000000000000'],
    [1.5e-7, shape('DOUBLE'), '0.00000015'],
    [-0, shape('FLOAT'), '0'],
    [21.9, shape('INT'), '21'],
    [-21.9, shape('INT'), '-21'],
    [2n ** 63n - 1n, shape('INT'), '9223372036854775807'],
    [57, shape('INT', { scale: 0.01 }), '0'],
    [29, shape('INT', { scale: 100 }), '2900'],
    ['21.5', shape('FLOAT'), '21.5'],
    [1, shape('BOOLEAN'), 'true'],
    ['off', shape('BOOLEAN'), 'false'],
    [42, shape('STRING'), '42'],
    [new TextEncoder().encode('grün'), shape('STRING'), 'grün'],
    [Uint8Array.of(0, 255), shape('BYTES'), 'AP8='],
  ];
  for (const [raw, as, text] of cases) {
    test(`${String(raw)} as ${as.type} is ${text}`, () => assert.equal(toText(raw, as), text));
  }

  test('that is none is refused', () => {
    for (const raw of [Number.NaN, Infinity, 'hot', '', Uint8Array.of(1)]) {
      assert.throws(() => toText(raw, shape('FLOAT')), /no FLOAT/);
    }
    assert.throws(() => toText('maybe', shape('BOOLEAN')), /no BOOLEAN/);
  });

  test('that is too long is refused', () => {
    assert.equal(toText('x'.repeat(4_096), shape('STRING')).length, 4_096);
    assert.throws(() => toText('ä'.repeat(2_049), shape('STRING')), /more than 4096 bytes/);
  });

  test('outside its range is said to be', () => {
    assert.equal(describeFault(rangeFault('101', shape('INT', {}, [0, 100]))).reason, 'OutOfRange');
    assert.equal(rangeFault('100', shape('INT', {}, [0, 100])), undefined);
    assert.equal(rangeFault('x', shape('STRING', {}, [0, 100])), undefined);
  });
});

describe('a desired value', () => {
  test('is turned round', () => {
    assert.equal(fromText('23.5', shape('FLOAT', { scale: 0.1 })), 235);
    assert.equal(fromText('212', shape('FLOAT', { scale: 1.8, valueOffset: 32 })), 100);
    assert.equal(fromText('7', shape('INT')), 7);
    assert.equal(fromText('9223372036854775807', shape('INT')), 2n ** 63n - 1n);
    assert.equal(fromText('true', shape('BOOLEAN')), true);
    assert.deepEqual(fromText('AP8=', shape('BYTES')), Uint8Array.of(0, 255));
  });

  test('that the type or the range forbids is refused', () => {
    assert.throws(() => fromText('1.5', shape('INT')), /not an INT/);
    assert.throws(() => fromText('hot', shape('FLOAT')), /not a FLOAT/);
    assert.throws(() => fromText('yes', shape('BOOLEAN')), /true or false/);
    assert.throws(() => fromText('***', shape('BYTES')), /not base64/);
    assert.throws(() => fromText('101', shape('INT', {}, [0, 100])), /above the maximum/);
  });

  test('comes back as it was', () => {
    check(forAll(integer(), (n) => assert.equal(toText(fromText(String(n), shape('INT')), shape('INT')), String(n))));
    check(
      forAll(uint8Array(), (bytes) => assert.deepEqual(fromText(toText(bytes, shape('BYTES')), shape('BYTES')), bytes)),
    );
  });
});

test('numbers are written without exponents, and mean the same', () => {
  check(
    forAll(double({ noNaN: true, noDefaultInfinity: true }), (n) => {
      const text = formatNumber(n, false);
      assert.ok(!text.includes('e') && Number(text) === n + 0, text);
    }),
  );
});

test('cycles: milliseconds, a second when absent, nanoseconds where nothing else makes sense', () => {
  assert.deepEqual([undefined, 0n, 500n, 10_000_000_000n, 1n].map(readCycle), [1_000, 1_000, 500, 10_000, 10]);
});

test('only changes beyond the deadband are told, and a sign of life now and then', () => {
  const settings = { conversion: { ...conversion, onChange: true, deadband: 0.5 } };
  const told = { text: '20', at: 0, observedDesired: '' };
  const after = (text: string, at = 1_000, observedDesired = '') =>
    isWorthTelling(settings, told, { text, at, observedDesired });
  assert.deepEqual(
    [after('20'), after('20.4'), after('20.6'), after('20', 60_000), after('20', 1, '30')],
    [false, false, true, true, true],
  );
  assert.ok(isWorthTelling({ conversion }, told, told));
});
