// Ranges as people write them, and what is refused.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mapperErrors } from './sdk-errors.ts';
import { parseHosts, parseNumbers } from './search-ranges.ts';

describe('numbers', () => {
  const ports = { what: 'ports', minimum: 1, maximum: 65_535, limit: 100 };
  test('single ones and ranges, each once', () => {
    assert.deepEqual(parseNumbers('502, 10-12,11', ports), [502, 10, 11, 12]);
    assert.deepEqual(parseNumbers('', ports), []);
  });
  for (const [text, complaint] of [
    ['0', /from 1 to 65535/],
    ['70000', /from 1 to 65535/],
    ['5-3', /"5-3" is no number or range/],
    ['1-', /"1-"/],
    ['a', /"a"/],
    ['1-101', /at most 100/],
    ['1-60,100-160', /at most 100/],
  ] as const) {
    test(`"${text}" is refused`, () =>
      assert.throws(
        () => parseNumbers(text, ports),
        (error: Error) => mapperErrors.BAD_CONFIG.is(error) && complaint.test(error.message),
      ));
  }
});

describe('hosts', () => {
  const hosts = { what: 'hosts', limit: 256 };
  test('addresses, ranges, networks and names', () => {
    assert.deepEqual(parseHosts('10.0.0.5-7,192.168.1.9/30,plc.local,10.0.0.6', hosts), [
      '10.0.0.5',
      '10.0.0.6',
      '10.0.0.7',
      '192.168.1.9',
      '192.168.1.10',
      'plc.local',
    ]);
    assert.deepEqual(parseHosts('10.0.0.4/31', hosts), ['10.0.0.4', '10.0.0.5']);
    assert.equal(parseHosts('10.0.0.0/24', hosts).length, 254);
  });
  for (const [text, complaint] of [
    ['10.0.0.0/8', /at most 256/],
    ['10.0.0.0/23', /at most 256/],
    ['10.0.0.300', /no IPv4 address/],
    ['10.0.0', /no IPv4 address/],
    ['10.0.0.9-3', /no range/],
    ['-x', /no address, network or name/],
    ['a b', /no address, network or name/],
  ] as const) {
    test(`"${text}" is refused`, () => assert.throws(() => parseHosts(text, hosts), complaint));
  }
});
