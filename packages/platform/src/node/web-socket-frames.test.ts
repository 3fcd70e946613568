// Frames of WebSockets: RFC 6455's rules for both directions, in pieces of any size.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFrameReader, encodeFrame, FrameFault, frameBytes, type Incoming, opcodes } from './web-socket-frames.ts';

const { text, binary, continuation, close, ping, pong } = opcodes;

/** A frame as a server sends it. */
function frame(opcode: number, payload: string | Buffer, { isLast = true } = {}): Buffer {
  const body = Buffer.from(payload);
  const head = Buffer.alloc(frameBytes(body.length, 0) - body.length);
  head[0] = (isLast ? 0x80 : 0) | opcode;
  head[1] = body.length > 65_535 ? 127 : body.length > 125 ? 126 : body.length;
  if (head[1] === 126) head.writeUInt16BE(body.length, 2);
  if (head[1] === 127) head.writeBigUInt64BE(BigInt(body.length), 2);
  return Buffer.concat([head, body]);
}

/** All that comes of `bytes` when they arrive in chunks of `step`. */
function read(bytes: Buffer, { step = bytes.length, limit = 1 << 20 } = {}): Incoming[] {
  const reader = createFrameReader(limit);
  const seen: Incoming[] = [];
  for (let at = 0; at < bytes.length; at += step) {
    reader.push(bytes.subarray(at, at + step));
    for (let next = reader.next(); next; next = reader.next()) seen.push(next);
  }
  return seen;
}

const told = (incoming: readonly Incoming[]): unknown[] =>
  incoming.map((one) => ('data' in one ? [one.kind, one.data.toString()] : [one.kind, one.code, one.reason]));

describe('frames that a client sends', () => {
  test("the RFC's example of a masked text", () => {
    const mask = Buffer.from('37fa213d', 'hex');
    assert.equal(encodeFrame(text, 'Hello', mask).toString('hex'), '818537fa213d7f9f4d5158');
  });

  for (const size of [0, 1, 2, 3, 4, 5, 125, 126, 127, 65_535, 65_536, 70_001]) {
    test(`${size} bytes`, () => {
      const payload = Buffer.from(Array.from({ length: size }, (_, n) => n % 251));
      const before = Buffer.from(payload);
      const mask = Buffer.from([1, 2, 4, 8]);
      const sent = encodeFrame(binary, payload, mask);
      assert.equal(sent.length, frameBytes(size, 4));
      assert.deepEqual(payload, before, "the caller's bytes stay as they are");
      assert.equal(sent[1]! & 0x80, 0x80);
      const masked = sent.subarray(sent.length - size);
      const plain = masked.map((byte, at) => byte ^ mask[at % 4]!);
      assert.deepEqual(Buffer.from(plain), payload);
    });
  }
});

describe('frames that a client reads', () => {
  const long = 'x'.repeat(70_000);
  const all = Buffer.concat([
    frame(text, 'one'),
    frame(binary, ''),
    frame(text, 'th', { isLast: false }),
    frame(ping, 'are you there'),
    frame(continuation, 're', { isLast: false }),
    frame(continuation, 'e'),
    frame(pong, ''),
    frame(binary, 'y'.repeat(200)),
    frame(text, long),
    frame(close, Buffer.from([3, 232, 0x62, 0x79, 0x65])),
  ]);
  const expected = [
    ['message', 'one'],
    ['message', ''],
    ['ping', 'are you there'],
    ['message', 'three'],
    ['pong', ''],
    ['message', 'y'.repeat(200)],
    ['message', long],
    ['close', 1000, 'bye'],
  ];
  for (const step of [1, 2, 3, 7, 1_000, all.length])
    test(`arrive in chunks of ${step}`, () => assert.deepEqual(told(read(all, { step })), expected));

  test('text and bytes are told apart, by the first of several frames', () => {
    const seen = read(
      Buffer.concat([frame(binary, 'a', { isLast: false }), frame(continuation, 'b'), frame(text, 'c')]),
    );
    assert.deepEqual(
      seen.map((one) => one.kind === 'message' && one.binary),
      [true, false],
    );
  });

  test('a close without a code', () => assert.deepEqual(told(read(frame(close, ''))), [['close', 1005, '']]));

  const codeOf = (code: number): Buffer => Buffer.from([code >> 8, code & 0xff]);
  const faults: [string, number, Buffer][] = [
    ['a reserved bit', 1002, Buffer.from([0xc1, 0])],
    ['an unknown kind', 1002, frame(3, '')],
    ['a mask', 1002, Buffer.from([0x81, 0x80, 0, 0, 0, 0])],
    ['a ping in pieces', 1002, frame(ping, '', { isLast: false })],
    ['a long ping', 1002, frame(ping, 'x'.repeat(126))],
    ['the rest of no message', 1002, frame(continuation, 'x')],
    ['a message inside another', 1002, Buffer.concat([frame(text, 'a', { isLast: false }), frame(text, 'b')])],
    ['a close with half a code', 1002, frame(close, 'x')],
    ['a close with a code that no frame holds', 1002, frame(close, codeOf(1005))],
    ['a close with a code of nobody', 1002, frame(close, codeOf(2000))],
    ['a message over the limit', 1009, frame(text, 'x'.repeat(101))],
    [
      'pieces over the limit',
      1009,
      Buffer.concat([frame(text, 'x'.repeat(60), { isLast: false }), frame(continuation, 'x'.repeat(60))]),
    ],
    ['a length beyond all numbers', 1009, Buffer.from('827fffffffffffffffff', 'hex')],
  ];
  for (const [what, code, bytes] of faults)
    test(`${what} is a fault`, () => {
      assert.throws(
        () => read(bytes, { limit: 100 }),
        (error) => error instanceof FrameFault && error.code === code,
      );
    });

  test('the limit is known before the bytes are there', () => {
    const reader = createFrameReader(100);
    reader.push(frame(binary, 'x'.repeat(200)).subarray(0, 4));
    assert.throws(() => reader.next(), FrameFault);
  });

  test('a message in very many pieces is a fault', () => {
    const piece = frame(continuation, 'x', { isLast: false });
    const bytes = Buffer.concat([frame(text, 'x', { isLast: false }), ...Array.from({ length: 20_000 }, () => piece)]);
    assert.throws(
      () => read(bytes),
      (error) => error instanceof FrameFault && error.code === 1009,
    );
  });
});
