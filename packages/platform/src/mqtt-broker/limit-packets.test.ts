import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPacketScanner } from './limit-packets.ts';

/** A packet with `length` bytes after its head. */
function packet(length: number): number[] {
  const digits: number[] = [];
  let left = length;
  do {
    const digit = left % 128;
    left = Math.floor(left / 128);
    digits.push(left > 0 ? digit | 0x80 : digit);
  } while (left > 0);
  return [0x30, ...digits, ...Array.from({ length: Math.min(length, 400) }, () => 0xff)];
}

describe('the scanner of packets', () => {
  test('passes packets within the limit, however they are cut', () => {
    const bytes = Uint8Array.from([
      ...packet(0),
      ...packet(1),
      ...packet(127),
      ...packet(128),
      ...packet(300),
      0xc0,
      0,
    ]);
    for (const size of [1, 2, 3, 7, bytes.length]) {
      const isWithin = createPacketScanner(300);
      for (let at = 0; at < bytes.length; at += size) assert.ok(isWithin(bytes.slice(at, at + size)), `by ${size}`);
    }
  });

  test('refuses a packet as soon as its length is known', () => {
    assert.ok(createPacketScanner(128)(Uint8Array.from(packet(128))));
    assert.ok(!createPacketScanner(127)(Uint8Array.from(packet(128).slice(0, 3))));
    assert.ok(!createPacketScanner(1 << 20)(Uint8Array.from(packet(200_000_000).slice(0, 5))));
  });

  test('refuses a length that does not end', () => {
    assert.ok(!createPacketScanner(2 ** 40)(Uint8Array.from([0x30, 0x80, 0x80, 0x80, 0x80])));
  });
});
