// Frames survive every way of being cut into chunks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, property, tuple, uint8Array, integer } from 'fast-check';
import { encodeFrame, FrameReader } from './framing.ts';

test('messages come out as they went in, however the bytes arrive', () => {
  const messages = array(uint8Array({ maxLength: 50 }), { maxLength: 10 });
  check(
    property(tuple(messages, integer({ min: 1, max: 20 })), ([sent, step]) => {
      const bytes = Buffer.concat(sent.map(encodeFrame));
      const reader = new FrameReader(50);
      const received: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += step) {
        const some = reader.push(bytes.subarray(at, at + step));
        assert.ok(Array.isArray(some));
        received.push(...some.map((message) => Uint8Array.from(message)));
      }
      assert.deepEqual(received, sent);
      assert.ok(reader.isEmpty);
    }),
  );
});
