// Headers as bytes (HPACK, RFC 7541). We write every field out in full, which any peer reads; what a peer may write, with
// tables and Huffman codes, is all read.
import { decodeHuffman } from './huffman.ts';

/** By name in small letters. A name that came twice has both values, with a comma between them. */
export type Headers = ReadonlyMap<string, string>;
export type HeaderFields = Readonly<Record<string, string>>;

export function encodeHeaders(fields: HeaderFields): Buffer {
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(fields)) {
    parts.push(literalWithoutIndex, ...encodeText(name), ...encodeText(value));
  }
  return Buffer.concat(parts);
}

const literalWithoutIndex = Uint8Array.of(0);

function encodeText(text: string): [Uint8Array, Uint8Array] {
  const bytes = Buffer.from(text, 'latin1');
  return [encodeInteger(bytes.length, 7), bytes];
}

/** The bits above the prefix are zero. */
function encodeInteger(value: number, prefixBits: number): Uint8Array {
  const full = 2 ** prefixBits - 1;
  if (value < full) return Uint8Array.of(value);
  const bytes = [full];
  let rest = value - full;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Uint8Array.from(bytes);
}

/** What each field in a table counts besides its bytes. */
const fieldOverhead = 32;
/** Ours for what peers send, which is also what they assume before they hear of it. */
const tableLimit = 4_096;

type Field = readonly [name: string, value: string];

/** One per connection: later blocks refer to fields of earlier ones. */
export class HeaderDecoder {
  readonly #table: Field[] = [];
  #tableBytes = 0;
  #tableLimit = tableLimit;

  /**
   * Undefined when the block is no such thing, or its fields are larger than `limit` bytes in all: the table is then of no use any more,
   * and the connection has to end.
   */
  decode(block: Uint8Array, limit: number): Headers | undefined {
    const reader = new BlockReader(block);
    const headers = new Map<string, string>();
    let bytes = 0;
    while (!reader.atEnd) {
      const first = reader.peek();
      if ((first & 0xe0) === 0x20) {
        const size = reader.integer(5);
        if (size === undefined || size > tableLimit || headers.size > 0) return undefined;
        this.#tableLimit = size;
        this.#evict();
        continue;
      }
      const field = this.#readField(reader, first);
      if (field === undefined) return undefined;
      const [name, value] = field;
      bytes += name.length + value.length + fieldOverhead;
      if (bytes > limit) return undefined;
      const before = headers.get(name);
      headers.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    return headers;
  }

  #readField(reader: BlockReader, first: number): Field | undefined {
    if (first & 0x80) {
      const index = reader.integer(7);
      return index === undefined ? undefined : this.#at(index);
    }
    const indexed = (first & 0x40) !== 0;
    const nameIndex = reader.integer(indexed ? 6 : 4);
    if (nameIndex === undefined) return undefined;
    const name = nameIndex === 0 ? reader.text() : this.#at(nameIndex)?.[0];
    const value = reader.text();
    if (name === undefined || value === undefined) return undefined;
    const field: Field = [name, value];
    if (indexed) {
      this.#table.unshift(field);
      this.#tableBytes += bytesOf(field);
      this.#evict();
    }
    return field;
  }

  #at(index: number): Field | undefined {
    return index <= staticTable.length ? staticTable[index - 1] : this.#table[index - staticTable.length - 1];
  }

  #evict(): void {
    while (this.#tableBytes > this.#tableLimit) this.#tableBytes -= bytesOf(this.#table.pop()!);
  }
}

const bytesOf = ([name, value]: Field): number => name.length + value.length + fieldOverhead;

class BlockReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  peek(): number {
    return this.#bytes[this.#at]!;
  }

  /** Undefined when it is cut short or of more than 28 bits: nothing here is as large. */
  integer(prefixBits: number): number | undefined {
    const full = 2 ** prefixBits - 1;
    const first = this.#bytes[this.#at++];
    if (first === undefined) return undefined;
    let value = first & full;
    if (value < full) return value;
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) return undefined;
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
    return undefined;
  }

  text(): string | undefined {
    const first = this.#bytes[this.#at];
    const length = this.integer(7);
    if (first === undefined || length === undefined || this.#at + length > this.#bytes.length) return undefined;
    const bytes = this.#bytes.subarray(this.#at, (this.#at += length));
    return first & 0x80 ? decodeHuffman(bytes) : Buffer.from(bytes.buffer, bytes.byteOffset, length).toString('latin1');
  }
}

/** RFC 7541, appendix A. Names with their values; a name stands once for all of its. */
const staticTable: readonly Field[] = [
  [':authority'],
  [':method', 'GET', 'POST'],
  [':path', '/', '/index.html'],
  [':scheme', 'http', 'https'],
  [':status', '200', '204', '206', '304', '400', '404', '500'],
  ['accept-charset'],
  ['accept-encoding', 'gzip, deflate'],
  ...[
    'accept-language',
    'accept-ranges',
    'accept',
    'access-control-allow-origin',
    'age',
    'allow',
    'authorization',
    'cache-control',
    'content-disposition',
    'content-encoding',
    'content-language',
    'content-length',
    'content-location',
    'content-range',
    'content-type',
    'cookie',
    'date',
    'etag',
    'expect',
    'expires',
    'from',
    'host',
    'if-match',
    'if-modified-since',
    'if-none-match',
    'if-range',
    'if-unmodified-since',
    'last-modified',
    'link',
    'location',
    'max-forwards',
    'proxy-authenticate',
    'proxy-authorization',
    'range',
    'referer',
    'refresh',
    'retry-after',
    'server',
    'set-cookie',
    'strict-transport-security',
    'transfer-encoding',
    'user-agent',
    'vary',
    'via',
    'www-authenticate',
  ].map((name) => [name]),
].flatMap(([name = '', ...values]): Field[] =>
  values.length === 0 ? [[name, '']] : values.map((value): Field => [name, value]),
);
