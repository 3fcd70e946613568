// Frames of WebSockets as a client writes and reads them (RFC 6455, section 5), without extensions. Texts are not checked to
// be UTF-8: a Go cloudcore puts the bytes of its tunnel into text frames.

/** Bytes of a frame besides its payload: two, a longer length where needed, and the mask. */
export const frameBytes = (payload: number, mask: number): number =>
  payload + 2 + (payload > 65_535 ? 8 : payload > 125 ? 2 : 0) + mask;

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
export type Opcode = (typeof opcodes)[keyof typeof opcodes];

/** Codes of section 7.4.1 that are told here. */
export const closeCodes = { normal: 1000, protocolError: 1002, none: 1005, abnormal: 1006, tooLarge: 1009 } as const;

/** A close frame holds at most 123 bytes of reason. */
export function shortReason(reason: string): string {
  let text = reason;
  while (Buffer.byteLength(text) > 123) text = text.slice(0, -1);
  return text;
}

/** What the peer did against the protocol, with the code that it is told. */
export class FrameFault extends Error {
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const longestHead = 16;

/** A whole frame, masked. `mask`: four bytes that the peer of a proxy cannot guess. */
export function encodeFrame(opcode: Opcode, payload: string | Uint8Array, mask: Uint8Array): Buffer {
  const length = Buffer.byteLength(payload);
  const headBytes = frameBytes(0, 4) + frameBytes(length, 0) - length - 2;
  // The payload begins at a multiple of four, and so do words of it; the head ends where it begins.
  const bytes = Buffer.allocUnsafeSlow(longestHead + length);
  const frame = bytes.subarray(longestHead - headBytes);
  frame[0] = 0x80 | opcode;
  if (length <= 125) frame[1] = 0x80 | length;
  else if (length <= 65_535) {
    frame[1] = 0x80 | 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 0x80 | 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.set(mask.subarray(0, 4), longestHead - 4);
  if (typeof payload === 'string') bytes.write(payload, longestHead);
  else bytes.set(payload, longestHead);
  maskPayload(bytes);
  return frame;
}

/** By words where that goes: it is four times as fast, which counts without a compiler. */
function maskPayload(bytes: Buffer): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  const first = longestHead / 4;
  const mask = words[first - 1]!;
  for (let at = first; at < words.length; at++) words[at]! ^= mask;
  for (let at = words.length * 4; at < bytes.length; at++) bytes[at]! ^= bytes[longestHead - 4 + (at & 3)]!;
}

export type Incoming =
  | { readonly kind: 'message'; readonly data: Buffer; readonly binary: boolean }
  | { readonly kind: 'ping'; readonly data: Buffer }
  | { readonly kind: 'pong'; readonly data: Buffer }
  | { readonly kind: 'close'; readonly code: number; readonly reason: string };

export interface FrameReader {
  push(chunk: Buffer): void;
  /** The next whole message or control frame of what was pushed. Throws FrameFault, and nothing can be read after that. */
  next(): Incoming | undefined;
}

interface Head {
  readonly opcode: Opcode;
  readonly isLast: boolean;
  readonly length: number;
}

/** A message that comes in more pieces is refused: each costs more than its bytes. */
const mostPieces = 16_384;

/** `maxBytes`: of a message, whatever number of frames it comes in. */
export function createFrameReader(maxBytes: number): FrameReader {
  const bytes = createByteQueue();
  let head: Head | undefined;
  let pieces: Buffer[] = [];
  let size = 0;
  let message: Opcode | undefined;

  function check({ opcode, isLast, length }: Head): void {
    if (opcode >= opcodes.close) {
      if (!isLast) throw new FrameFault(closeCodes.protocolError, 'a control frame in pieces');
      if (length > 125) throw new FrameFault(closeCodes.protocolError, 'a control frame of more than 125 bytes');
      return;
    }
    if ((opcode === opcodes.continuation) !== (message !== undefined))
      throw new FrameFault(closeCodes.protocolError, 'a message inside another, or the rest of none');
    if (size + length > maxBytes) throw new FrameFault(closeCodes.tooLarge, `a message of more than ${maxBytes} bytes`);
    if (pieces.length >= mostPieces)
      throw new FrameFault(closeCodes.tooLarge, `a message in more than ${mostPieces} pieces`);
  }

  function take({ opcode, isLast }: Head, payload: Buffer): Incoming | undefined {
    if (opcode === opcodes.ping) return { kind: 'ping', data: payload };
    if (opcode === opcodes.pong) return { kind: 'pong', data: payload };
    if (opcode === opcodes.close) return readClose(payload);
    message ??= opcode;
    if (payload.length > 0 || isLast) pieces.push(payload);
    size += payload.length;
    if (!isLast) return undefined;
    const whole: Incoming = {
      kind: 'message',
      data: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces, size),
      binary: message === opcodes.binary,
    };
    pieces = [];
    size = 0;
    message = undefined;
    return whole;
  }

  return {
    push: bytes.push,
    next() {
      for (;;) {
        if (!head) {
          head = readHead(bytes);
          if (!head) return undefined;
          check(head);
        }
        if (bytes.length < head.length) return undefined;
        const read = head;
        head = undefined;
        const incoming = take(read, bytes.take(read.length));
        if (incoming) return incoming;
      }
    },
  };
}

const known: readonly number[] = Object.values(opcodes);

function readHead(bytes: ByteQueue): Head | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = [bytes.at(0), bytes.at(1)];
  const opcode = first & 0x0f;
  if ((first & 0x70) !== 0) throw new FrameFault(closeCodes.protocolError, 'a frame of an extension nobody asked for');
  if (!known.includes(opcode)) throw new FrameFault(closeCodes.protocolError, `a frame of the unknown kind ${opcode}`);
  if ((second & 0x80) !== 0) throw new FrameFault(closeCodes.protocolError, 'a server does not mask');
  const short = second & 0x7f;
  const headBytes = short === 127 ? 10 : short === 126 ? 4 : 2;
  if (bytes.length < headBytes) return undefined;
  const long = bytes.take(headBytes).subarray(2);
  const length = short === 127 ? Number(long.readBigUInt64BE()) : short === 126 ? long.readUInt16BE() : short;
  return { opcode: opcode as Opcode, isLast: (first & 0x80) !== 0, length };
}

function readClose(payload: Buffer): Incoming {
  if (payload.length === 0) return { kind: 'close', code: closeCodes.none, reason: '' };
  const code = payload.length === 1 ? 0 : payload.readUInt16BE();
  if (!isCloseCode(code)) throw new FrameFault(closeCodes.protocolError, `an end with the code ${code}`);
  return { kind: 'close', code, reason: payload.toString('utf8', 2) };
}

/** Those that may stand in a frame: registered ones, and those of libraries and applications. */
const isCloseCode = (code: number): boolean =>
  (code >= 1000 && code <= 1014 && ![1004, closeCodes.none, closeCodes.abnormal].includes(code)) ||
  (code >= 3000 && code <= 4999);

interface ByteQueue {
  readonly length: number;
  push(chunk: Buffer): void;
  at(index: 0 | 1): number;
  take(count: number): Buffer;
}

function createByteQueue(): ByteQueue {
  let chunks: Buffer[] = [];
  let length = 0;
  return {
    get length() {
      return length;
    },
    push(chunk) {
      if (chunk.length === 0) return;
      chunks.push(chunk);
      length += chunk.length;
    },
    at: (index) => (index < chunks[0]!.length ? chunks[0]![index]! : chunks[1]![0]!),
    take(count) {
      length -= count;
      const first = chunks[0];
      if (first === undefined || count === 0) return Buffer.alloc(0);
      if (count < first.length) {
        chunks[0] = first.subarray(count);
        return first.subarray(0, count);
      }
      if (count === first.length) {
        chunks.shift();
        return first;
      }
      const all = Buffer.concat(chunks);
      chunks = count < all.length ? [all.subarray(count)] : [];
      return all.subarray(0, count);
    },
  };
}
