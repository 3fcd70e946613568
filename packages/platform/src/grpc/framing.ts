// gRPC's message frames: one byte that says "compressed", four of length, then the message.

const headBytes = 5;

export function encodeFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(headBytes + message.length);
  new DataView(frame.buffer).setUint32(1, message.length);
  frame.set(message, headBytes);
  return frame;
}

export type FrameProblem = { readonly kind: 'too large'; readonly bytes: number } | { readonly kind: 'compressed' };

/** Puts messages together from chunks of any size. A length over the limit is refused before anything is kept. */
export class FrameReader {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** True between two messages. */
  get isEmpty(): boolean {
    return this.#held === 0;
  }

  /** Complete messages so far, or what is wrong with the peer's bytes. */
  push(chunk: Uint8Array): Uint8Array[] | FrameProblem {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const messages: Uint8Array[] = [];
    while (this.#held >= headBytes) {
      const held = this.#join();
      const length = new DataView(held.buffer, held.byteOffset, held.byteLength).getUint32(1);
      if (held[0] !== 0) return { kind: 'compressed' };
      if (length > this.#limit) return { kind: 'too large', bytes: length };
      if (held.length < headBytes + length) break;
      messages.push(held.subarray(headBytes, headBytes + length));
      this.#chunks = [held.subarray(headBytes + length)];
      this.#held -= headBytes + length;
    }
    return messages;
  }

  #join(): Uint8Array {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0]!;
  }
}
