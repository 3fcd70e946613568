import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { matchesFormat } from './formats.ts';

const cases: Readonly<Record<string, { readonly yes: readonly string[]; readonly no: readonly string[] }>> = {
  'date-time': {
    yes: ['2026-01-31T23:59:60Z', '2026-01-01T00:00:00.123+01:00'],
    no: ['2026-02-30T00:00:00Z', '2026-01-01', ''],
  },
  date: { yes: ['2024-02-29'], no: ['2026-02-29', '2026-1-1'] },
  duration: { yes: ['0', '1h30m', '1.5s', '10ms'], no: ['1', '1d', 's', ''] },
  ipv4: { yes: ['0.0.0.0', '255.255.255.255'], no: ['256.0.0.1', '1.2.3', '01.2.3.4'] },
  ipv6: {
    yes: ['::', '::1', 'fe80::1:2', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4'],
    no: [':', '1::2::3', '1:2:3:4:5:6:7', '12345::', '::1.2.3.400'],
  },
  cidr: { yes: ['10.0.0.0/8', 'fd00::/64'], no: ['10.0.0.0', '10.0.0.0/33', '::/129', '10.0.0.0/8/8'] },
  mac: { yes: ['00:1a:2B:3c:4d:5e', '00-1a-2b-3c-4d-5e'], no: ['00:1a:2b:3c:4d', '00:1a-2b:3c:4d:5e'] },
  uuid: { yes: ['123e4567-e89b-12d3-a456-426614174000'], no: ['123e4567'] },
  byte: { yes: ['', 'YQ==', 'YWJj'], no: ['YQ', '%%%%'] },
  hostname: { yes: ['a', 'A.b-c.example'], no: ['', '-a', 'a..b', `${'a'.repeat(64)}.b`] },
  uri: { yes: ['https://example.com/a?b', '/path', 'urn:x'], no: ['no scheme', ''] },
  email: { yes: ['a@b.c'], no: ['a', 'a@b@c'] },
};

describe('string formats', () => {
  for (const [format, { yes, no }] of Object.entries(cases)) {
    for (const text of yes) it(`${JSON.stringify(text)} is a ${format}`, () => assert.ok(matchesFormat(format, text)));
    for (const text of no) it(`${JSON.stringify(text)} is no ${format}`, () => assert.ok(!matchesFormat(format, text)));
  }
});
