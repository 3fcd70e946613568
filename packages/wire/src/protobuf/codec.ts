// Protocol Buffers (proto3) by table: one text per message says its fields, and one encoder and one decoder serve them
// all. Code generated for each message would be four fifths of what an edge keeps in memory for the runtime's interface.
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** Zero values are not written; what is absent is read as zero, `''`, `[]` or `{}`, and as `undefined` for a message. */
export interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  /** Throws what `BinaryReader` throws for bytes that are no message. */
  decode(bytes: Uint8Array): T;
}

/**
 * The fields of each message of a .proto file, by its name: `number:name:type`, separated by spaces. The type is that of
 * protobuf (enums are `int32`) or the name of a message in the table; `*` before it means a list, `%` a map from texts.
 */
export type MessageTable = Readonly<Record<string, string>>;

type Message = Record<string, unknown>;
type Scalar = 'int32' | 'uint32' | 'int64' | 'uint64' | 'bool' | 'float' | 'double' | 'string' | 'bytes';

interface Field {
  readonly tag: number;
  readonly name: string;
  readonly container: 'one' | 'list' | 'map';
  readonly type: Scalar | Layout;
}

interface Layout {
  /** By number, in the order in which they are written. */
  readonly fields: ReadonlyMap<number, Field>;
  /** What a message has in which nothing was sent; lists and maps are made anew for each. */
  readonly zeros: Readonly<Message>;
}

/** Messages of the edge are some ten levels deep; a stranger's could be any number. */
const maxDepth = 50;

/** Codecs of the messages in a table. A layout is read from its text when its message is first used. */
export function codecsOf(table: MessageTable): <T extends object>(name: string) => Codec<T> {
  const layouts = new Map<string, Layout>();
  const layoutOf = (name: string): Layout => {
    const known = layouts.get(name);
    if (known) return known;
    const fields = new Map<number, Field>();
    const layout = { fields, zeros: {} as Message };
    // Known before its fields are, since a message may contain itself.
    layouts.set(name, layout);
    for (const text of table[name]!.split(' ').filter(Boolean)) {
      const field = readField(text, (type) => (Object.hasOwn(table, type) ? layoutOf(type) : (type as Scalar)));
      fields.set(field.tag >>> 3, field);
      layout.zeros[field.name] = field.container === 'one' ? zeroOf(field.type) : undefined;
    }
    return layout;
  };
  return <T extends object>(name: string): Codec<T> => ({
    encode: (message) => encodeMessage(layoutOf(name), message as Message, new BinaryWriter()),
    decode(bytes) {
      const reader = new BinaryReader(bytes);
      return decodeMessage(layoutOf(name), reader, reader.len, 0) as T;
    },
  });
}

function readField(text: string, typeOf: (type: string) => Scalar | Layout): Field {
  const [number = '', name = '', code = ''] = text.split(':');
  const container = code.startsWith('*') ? 'list' : code.startsWith('%') ? 'map' : 'one';
  const type = typeOf(container === 'one' ? code : code.slice(1));
  const wire = container === 'map' ? WireType.LengthDelimited : wireTypeOf(type);
  return { tag: (Number(number) << 3) | wire, name, container, type };
}

const isLayout = (type: Scalar | Layout): type is Layout => typeof type === 'object';

function wireTypeOf(type: Scalar | Layout): WireType {
  if (isLayout(type) || type === 'string' || type === 'bytes') return WireType.LengthDelimited;
  if (type === 'float') return WireType.Bit32;
  return type === 'double' ? WireType.Bit64 : WireType.Varint;
}

function zeroOf(type: Scalar | Layout): unknown {
  if (isLayout(type)) return undefined;
  if (type === 'string') return '';
  if (type === 'bytes') return new Uint8Array(0);
  if (type === 'bool') return false;
  return type === 'int64' || type === 'uint64' ? 0n : 0;
}

function encodeMessage(layout: Layout, message: Message, writer: BinaryWriter): BinaryWriter {
  for (const field of layout.fields.values()) {
    const value = message[field.name];
    if (value === undefined) continue;
    if (field.container === 'one') encodeOne(field, value, writer);
    else if (field.container === 'list') encodeList(field, value as readonly unknown[], writer);
    else encodeMap(field, value as Message, writer);
  }
  return writer;
}

function encodeOne({ tag, type }: Field, value: unknown, writer: BinaryWriter): void {
  if (isLayout(type)) {
    encodeMessage(type, value as Message, writer.uint32(tag).fork()).join();
    return;
  }
  const isZero = type === 'bytes' ? (value as Uint8Array).length === 0 : !value;
  if (!isZero) encodeScalar(type, value, writer.uint32(tag));
}

function encodeList({ tag, type }: Field, values: readonly unknown[], writer: BinaryWriter): void {
  if (values.length === 0) return;
  if (!isLayout(type) && type !== 'string' && type !== 'bytes') {
    // Numbers are packed: one length, then the values.
    const packed = writer.uint32((tag & ~7) | WireType.LengthDelimited).fork();
    for (const value of values) encodeScalar(type, value, packed);
    packed.join();
    return;
  }
  for (const value of values) {
    if (isLayout(type)) encodeMessage(type, value as Message, writer.uint32(tag).fork()).join();
    else encodeScalar(type, value, writer.uint32(tag));
  }
}

const keyTag = (1 << 3) | WireType.LengthDelimited;
const valueTag = (type: Scalar | Layout): number => (2 << 3) | wireTypeOf(type);

function encodeMap({ tag, type }: Field, map: Message, writer: BinaryWriter): void {
  const value = { tag: valueTag(type), name: '', container: 'one', type } as const;
  for (const [key, item] of Object.entries(map)) {
    if (item === undefined) continue;
    const entry = writer.uint32(tag).fork();
    if (key !== '') entry.uint32(keyTag).string(key);
    encodeOne(value, item, entry);
    entry.join();
  }
}

function encodeScalar(type: Scalar, value: unknown, writer: BinaryWriter): void {
  switch (type) {
    case 'int32':
      return void writer.int32(value as number);
    case 'uint32':
      return void writer.uint32(value as number);
    case 'int64':
      if (BigInt.asIntN(64, value as bigint) !== value) throw new RangeError(`${String(value)} is no int64`);
      return void writer.int64(value as bigint);
    case 'uint64':
      if (BigInt.asUintN(64, value as bigint) !== value) throw new RangeError(`${String(value)} is no uint64`);
      return void writer.uint64(value as bigint);
    case 'bool':
      return void writer.bool(value as boolean);
    case 'float':
      return void writer.float(value as number);
    case 'double':
      return void writer.double(value as number);
    case 'string':
      return void writer.string(value as string);
    case 'bytes':
      return void writer.bytes(value as Uint8Array);
  }
}

function decodeMessage(layout: Layout, reader: BinaryReader, end: number, depth: number): Message {
  if (depth > maxDepth) throw new RangeError(`messages are nested more than ${maxDepth} deep`);
  const message: Message = { ...layout.zeros };
  for (const { name, container } of layout.fields.values()) {
    if (container === 'list') message[name] = [];
    else if (container === 'map') message[name] = {};
  }
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = layout.fields.get(tag >>> 3);
    if (field === undefined || !decodeField(field, tag, message, reader, depth)) reader.skip(tag & 7, tag >>> 3);
  }
  return message;
}

/** Whether the field has been read; one of another wire type than ours is to be skipped. */
function decodeField(field: Field, tag: number, message: Message, reader: BinaryReader, depth: number): boolean {
  const { name, container, type } = field;
  if (container === 'list' && tag !== field.tag) {
    if ((tag & 7) !== WireType.LengthDelimited || isLayout(type)) return false;
    const end = reader.uint32() + reader.pos;
    while (reader.pos < end) (message[name] as unknown[]).push(decodeScalar(type, reader));
    return true;
  }
  if (tag !== field.tag) return false;
  if (container === 'map') {
    decodeEntry(type, message[name] as Message, reader, depth);
    return true;
  }
  const value = decodeValue(type, reader, depth);
  if (container === 'list') (message[name] as unknown[]).push(value);
  else message[name] = value;
  return true;
}

const decodeValue = (type: Scalar | Layout, reader: BinaryReader, depth: number): unknown => {
  if (!isLayout(type)) return decodeScalar(type, reader);
  const end = reader.uint32() + reader.pos;
  return decodeMessage(type, reader, end, depth + 1);
};

function decodeEntry(type: Scalar | Layout, map: Message, reader: BinaryReader, depth: number): void {
  const end = reader.uint32() + reader.pos;
  let key = '';
  let value = zeroOf(type);
  while (reader.pos < end) {
    const tag = reader.uint32();
    if (tag === keyTag) key = reader.string();
    else if (tag === valueTag(type)) value = decodeValue(type, reader, depth);
    else reader.skip(tag & 7, tag >>> 3);
  }
  // Not by assignment: a peer's key may be `__proto__`.
  if (value !== undefined)
    Object.defineProperty(map, key, { value, enumerable: true, writable: true, configurable: true });
}

function decodeScalar(type: Scalar, reader: BinaryReader): unknown {
  switch (type) {
    case 'int32':
      return reader.int32();
    case 'uint32':
      return reader.uint32();
    case 'int64':
      return reader.int64();
    case 'uint64':
      return reader.uint64();
    case 'bool':
      return reader.bool();
    case 'float':
      return reader.float();
    case 'double':
      return reader.double();
    case 'string':
      return reader.string();
    case 'bytes':
      return reader.bytes();
  }
}
