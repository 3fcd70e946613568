// Frames survive every way of being cut into chunks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { array, assert as check, integer, property, record, uint8Array } from 'fast-check';
import { encodeFrame, type Frame, FrameCutter } from './frames.ts';

const byte = integer({ min: 0, max: 255 });
const frame = record({
  type: byte,
  flags: byte,
  streamId: integer({ min: 0, max: 2 ** 31 - 1 }),
  payload: uint8Array({ maxLength: 60 }),
});
const encode = ({
  type,
  flags,
  streamId,
  payload,
}: Frame | ({ payload: Uint8Array } & Omit<Frame, 'payload'>)): Buffer => encodeFrame(type, flags, streamId, payload);

test('frames come out as they went in, however the bytes arrive', () => {
  check(
    property(array(frame, { maxLength: 8 }), array(integer({ min: 1, max: 40 }), { minLength: 1 }), (frames, steps) => {
      const bytes = Buffer.concat(frames.map(encode));
      const cutter = new FrameCutter();
      const received: Buffer[] = [];
      for (let at = 0, n = 0; at < bytes.length; n++) {
        const chunk = Uint8Array.from(bytes.subarray(at, (at += steps[n % steps.length]!)));
        assert.ok(cutter.push(chunk, (some) => received.push(encode(some)) > 0));
      }
      assert.deepEqual(Buffer.concat(received), bytes);
    }),
  );
});

test('a frame that is larger than it may be is refused by its head alone, also when that comes in pieces', () => {
  const head = Uint8Array.of(0, 0x40, 1, 0, 0, 0, 0, 0, 1);
  const none = (): boolean => assert.fail('no frame was to come');
  assert.equal(new FrameCutter().push(head, none), false);
  const cutter = new FrameCutter();
  assert.equal(cutter.push(head.subarray(0, 4), none), true);
  assert.equal(cutter.push(head.subarray(4), none), false);
});

test('nothing is handed out any more once somebody has enough', () => {
  let taken = 0;
  const two = Buffer.concat([encodeFrame(6, 0, 0, new Uint8Array(8)), encodeFrame(6, 0, 0, new Uint8Array(8))]);
  assert.ok(new FrameCutter().push(two, () => ((taken += 1), false)));
  assert.equal(taken, 1);
});
