// Durations as Go writes and reads them, and Kubernetes times.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import {
  between,
  days,
  formatDuration,
  hours,
  instant,
  milliseconds,
  minus,
  minutes,
  parseDuration,
  parseTime,
  plus,
  seconds,
  toMicroTime,
  toMilliTime,
  toTime,
} from '@kedge/core/time';

describe('durations', () => {
  test('units agree with each other', () => {
    assert.equal(seconds(60), minutes(1));
    assert.equal(minutes(60), hours(1));
    assert.equal(hours(24), days(1));
    assert.equal(seconds(0.5), milliseconds(500));
  });

  const texts: readonly (readonly [string, number | undefined])[] = [
    ['0', 0],
    ['0s', 0],
    ['10s', 10_000],
    ['200ms', 200],
    ['1h30m', 5_400_000],
    ['1h0m0.5s', 3_600_500],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['1.s', 1_000],
    ['-2m', -120_000],
    ['+2m', 120_000],
    ['1us', 0.001],
    ['1\u00b5s', 0.001],
    ['1\u03bcs', 0.001],
    ['1ns', 0.000001],
    ['2562047h', 2_562_047 * 3_600_000],
    ['2562048h', undefined],
    ['', undefined],
    ['-', undefined],
    ['10', undefined],
    ['s', undefined],
    ['.s', undefined],
    ['1d', undefined],
    ['1 s', undefined],
    ['1s ', undefined],
    ['--1s', undefined],
    ['1e3s', undefined],
  ];
  for (const [text, expected] of texts) {
    test(`"${text}" reads as ${expected === undefined ? 'no duration' : `${expected} ms`}`, () => {
      assert.equal(parseDuration(text), expected);
    });
  }

  const forms: readonly (readonly [number, string])[] = [
    [0, '0s'],
    [200, '200ms'],
    [1_000, '1s'],
    [1_500, '1.5s'],
    [80_000, '1m20s'],
    [3_600_000, '1h0m0s'],
    [5_400_500, '1h30m0.5s'],
    [0.5, '500\u00b5s'],
    [0.0005, '500ns'],
    [-1_500, '-1.5s'],
    [90_000_000, '25h0m0s'],
  ];
  for (const [howLong, expected] of forms) {
    test(`${howLong} ms is written ${expected}`, () => {
      assert.equal(formatDuration(milliseconds(howLong)), expected);
    });
  }

  test('what is written reads back as it was', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (ms) => {
        assert.equal(parseDuration(formatDuration(milliseconds(ms))), ms);
      }),
    );
  });
});

describe('instants', () => {
  const at = instant(Date.UTC(2026, 10, 23, 2, 56, 42, 123));

  test('move by durations', () => {
    assert.equal(between(at, plus(at, seconds(5))), seconds(5));
    assert.equal(minus(plus(at, days(1)), days(1)), at);
  });

  test('are written as Kubernetes writes them', () => {
    assert.equal(toTime(at), '2026-11-23T02:56:42Z');
    assert.equal(toMicroTime(at), '2026-11-23T02:56:42.123000Z');
  });

  test('are read from both forms, in any zone', () => {
    assert.equal(parseTime('2026-11-23T02:56:42Z'), at - 123);
    assert.equal(parseTime('2026-11-23T02:56:42.123456Z'), at);
    assert.equal(parseTime('2026-11-23T05:56:42.123+03:00'), at);
  });

  for (const text of [
    '',
    undefined,
    null,
    '2026',
    '2026-11-23',
    '2026-11-23 02:56:42Z',
    '2026-11-23T02:56:42',
    'Nov 23 2026',
    '2026-13-23T02:56:42Z',
  ]) {
    test(`${JSON.stringify(text)} is no time`, () => assert.equal(parseTime(text), undefined));
  }
});

test('times are written as Date writes them, leap days and the time before 1970 included', () => {
  const turns = ['0000-01-01', '1600-02-29', '1900-03-01', '1970-01-01', '2000-02-29', '2100-03-01', '9999-12-31'];
  const moments = fc.integer({ min: Date.UTC(1, 0, 1), max: Date.UTC(9999, 11, 31) });
  const check = (ms: number): void => {
    const expected = new Date(ms).toISOString();
    assert.equal(toMilliTime(instant(ms)), expected);
    assert.equal(toTime(instant(ms)), expected.replace(/\.\d+/, ''));
    assert.equal(toMicroTime(instant(ms)), expected.replace('Z', '000Z'));
  };
  for (const turn of turns)
    for (const around of [-1, 0, 1])
      if (Date.parse(turn) + around >= -62_167_219_200_000) check(Date.parse(turn) + around);
  fc.assert(fc.property(moments, check));
});
