// Frames of HTTP/2 as bytes (RFC 9113, section 4.1), both ways.
import { maxFrameBytes } from './protocol.ts';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

const headBytes = 9;

/** A whole frame; the payload is copied. */
export function encodeFrame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(headBytes + payload.length);
  frame.writeUIntBE(payload.length, 0, 3);
  frame[3] = type;
  frame[4] = flags;
  frame.writeUInt32BE(streamId, 5);
  frame.set(payload, headBytes);
  return frame;
}

export const uint32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Cuts what comes in, in whatever pieces, into frames. Holds one frame at most. */
export class FrameCutter {
  /** A frame of which a part has come: its head first, then all of it. */
  #partial: Buffer | undefined;
  #filled = 0;

  /** Hands out frames in order until `take` answers false; false when one is larger than it may be. */
  push(chunk: Uint8Array, take: (frame: Frame) => boolean): boolean {
    let rest: Buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (rest.length > 0) {
      if (this.#partial === undefined) {
        const whole = rest.length < headBytes ? headBytes : wholeBytes(rest);
        if (whole > headBytes + maxFrameBytes) return false;
        if (rest.length >= whole && rest.length >= headBytes) {
          if (!take(frameOf(rest.subarray(0, whole)))) return true;
          rest = rest.subarray(whole);
          continue;
        }
        this.#partial = Buffer.allocUnsafe(whole);
        this.#filled = 0;
      }
      const partial = this.#partial;
      const copied = rest.copy(partial, this.#filled);
      this.#filled += copied;
      rest = rest.subarray(copied);
      if (this.#filled < partial.length) return true;
      const whole = wholeBytes(partial);
      if (whole > headBytes + maxFrameBytes) return false;
      if (partial.length < whole) {
        this.#partial = Buffer.allocUnsafe(whole);
        partial.copy(this.#partial);
        continue;
      }
      this.#partial = undefined;
      if (!take(frameOf(partial))) return true;
    }
    return true;
  }
}

const wholeBytes = (head: Buffer): number => headBytes + head.readUIntBE(0, 3);

const frameOf = (bytes: Buffer): Frame => ({
  type: bytes[3]!,
  flags: bytes[4]!,
  streamId: bytes.readUInt32BE(5) & 0x7fff_ffff,
  payload: bytes.subarray(headBytes),
});
