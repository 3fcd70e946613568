// Makes the `:authority` of old gRPC clients in Go acceptable. Up to about version 1.57 they send the path of the socket
// as it is, slashes included, which breaks RFC 9113 and which Node's HTTP/2 answers with a protocol error before anybody
// is asked. This stands between the socket and the HTTP/2 session, finds that one field in the blocks of headers that
// come in, and puts a text of the same length in its place: the peer's table of headers and ours stay the same size, so
// that everything that refers to them afterwards is right. All other bytes pass as they are.
import { Transform, type TransformCallback } from 'node:stream';
import { decodeHuffman } from './huffman.ts';

const prefaceBytes = 24;
const frameHeadBytes = 9;
const headersFrame = 1;
/** What we announce as the largest frame; a longer one is the session's to refuse, and passes unread. */
const maxFrameBytes = 16_384;

export class AuthorityRewriter extends Transform {
  #held: Uint8Array = new Uint8Array(0);
  #pass = prefaceBytes;

  override _transform(chunk: Uint8Array, _encoding: BufferEncoding, done: TransformCallback): void {
    let bytes = this.#held.length > 0 ? Buffer.concat([this.#held, chunk]) : chunk;
    this.#held = new Uint8Array(0);
    while (bytes.length > 0) {
      if (this.#pass > 0) {
        const some = bytes.subarray(0, this.#pass);
        this.#pass -= some.length;
        this.push(some);
        bytes = bytes.subarray(some.length);
        continue;
      }
      if (bytes.length < frameHeadBytes) break;
      const length = (bytes[0]! << 16) | (bytes[1]! << 8) | bytes[2]!;
      if (bytes[3] !== headersFrame || length > maxFrameBytes) {
        this.#pass = frameHeadBytes + length;
        continue;
      }
      if (bytes.length < frameHeadBytes + length) break;
      this.push(rewriteHeaders(bytes.subarray(0, frameHeadBytes + length)));
      bytes = bytes.subarray(frameHeadBytes + length);
    }
    this.#held = bytes;
    done();
  }
}

/** A whole HEADERS frame, with an acceptable authority. */
export function rewriteHeaders(frame: Uint8Array): Uint8Array {
  const flags = frame[4]!;
  const padding = flags & 0x08 ? (frame[frameHeadBytes] ?? 0) : 0;
  const start = frameHeadBytes + (flags & 0x08 ? 1 : 0) + (flags & 0x20 ? 5 : 0);
  const end = frame.length - padding;
  const found = start < end ? findAuthority(frame, start, end) : undefined;
  if (!found || isAuthority(found.text)) return frame;
  const value = Buffer.from(found.text.replace(/[^A-Za-z0-9.:_-]/g, '_'), 'latin1');
  const changed = Buffer.concat([
    frame.subarray(0, found.from),
    encodeInteger(value.length),
    value,
    frame.subarray(found.to),
  ]);
  changed.writeUIntBE(changed.length - frameHeadBytes, 0, 3);
  return changed;
}

const isAuthority = (text: string): boolean => /^[A-Za-z0-9.:_~%[\]-]*$/.test(text);

interface Field {
  readonly text: string;
  /** Where its length begins and its text ends. */
  readonly from: number;
  readonly to: number;
}

/** Walks a block of headers (RFC 7541, section 6) as far as the authority; undefined when it does not stand there. */
function findAuthority(bytes: Uint8Array, start: number, end: number): Field | undefined {
  const walk = new Walk(bytes, start, end);
  while (walk.at < end) {
    const first = bytes[walk.at]!;
    if (first & 0x80) {
      if (walk.integer(7) === undefined) return undefined;
    } else if ((first & 0xe0) === 0x20) {
      if (walk.integer(5) === undefined) return undefined;
    } else {
      const index = walk.integer(first & 0x40 ? 6 : 4);
      if (index === undefined) return undefined;
      const name = index === 0 ? walk.string()?.text : undefined;
      if (index === 0 && name === undefined) return undefined;
      const value = walk.string();
      if (value === undefined) return undefined;
      if (index === 1 || name === ':authority') return value;
    }
  }
  return undefined;
}

class Walk {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.#bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  integer(prefix: number): number | undefined {
    const most = 2 ** prefix - 1;
    let value = this.#bytes[this.at++]! & most;
    if (value < most) return value;
    for (let shift = 0; this.at < this.#end && shift <= 21; shift += 7) {
      const byte = this.#bytes[this.at++]!;
      value += (byte & 0x7f) * 2 ** shift;
      if (!(byte & 0x80)) return value;
    }
    return undefined;
  }

  string(): Field | undefined {
    if (this.at >= this.#end) return undefined;
    const from = this.at;
    const huffman = (this.#bytes[this.at]! & 0x80) !== 0;
    const length = this.integer(7);
    if (length === undefined || this.at + length > this.#end) return undefined;
    const raw = this.#bytes.subarray(this.at, (this.at += length));
    const text = huffman ? decodeHuffman(raw) : Buffer.from(raw).toString('latin1');
    return text === undefined ? undefined : { text, from, to: this.at };
  }
}

/** A string's length without Huffman coding. */
function encodeInteger(value: number): Uint8Array {
  if (value < 127) return Uint8Array.of(value);
  const bytes = [127];
  let rest = value - 127;
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.of(...bytes, rest);
}
