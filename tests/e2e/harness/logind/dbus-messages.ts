// D-Bus messages, as much of them as a stand-in for a service needs: texts, paths and numbers, in little endian.
// https://dbus.freedesktop.org/doc/dbus-specification.html#message-protocol

export const messageTypes = { call: 1, reply: 2, signal: 4 } as const;

/** One argument: a text, an object path, a number of 32 bits, or a text in a variant. */
export type Argument =
  | { readonly s: string }
  | { readonly o: string }
  | { readonly u: number }
  | { readonly v: string };

export interface Message {
  readonly type: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly destination?: string;
  readonly sender?: string;
  readonly replyTo?: number;
  /** The leading texts of the body; what is behind them is not looked at. */
  readonly texts: readonly string[];
}

const codes = { path: 1, interface: 2, member: 3, replyTo: 5, destination: 6, sender: 7, signature: 8 } as const;

class Writer {
  #bytes: number[] = [];

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
  align(to: number): void {
    while (this.#bytes.length % to !== 0) this.#bytes.push(0);
  }
  byte(value: number): void {
    this.#bytes.push(value);
  }
  number(value: number): void {
    this.align(4);
    for (const shift of [0, 8, 16, 24]) this.#bytes.push((value >>> shift) & 0xff);
  }
  text(value: string): void {
    const bytes = Buffer.from(value);
    this.number(bytes.length);
    this.#bytes.push(...bytes, 0);
  }
  signature(value: string): void {
    this.#bytes.push(value.length, ...Buffer.from(value), 0);
  }
  append(bytes: Uint8Array): void {
    this.#bytes.push(...bytes);
  }
}

function encodeBody(body: readonly Argument[]): { signature: string; bytes: Uint8Array } {
  const writer = new Writer();
  let signature = '';
  for (const argument of body) {
    const [kind, value] = Object.entries(argument)[0] as [string, string | number];
    signature += kind;
    if (kind === 'v') writer.signature('s');
    if (typeof value === 'number') writer.number(value);
    else writer.text(value);
  }
  return { signature, bytes: writer.bytes };
}

export function encodeMessage(
  message: Omit<Message, 'texts' | 'sender'> & { readonly body?: readonly Argument[] },
): Uint8Array {
  const { signature, bytes } = encodeBody(message.body ?? []);
  const fields = new Writer();
  const field = (name: keyof typeof codes, type: string, write: () => void): void => {
    fields.align(8);
    fields.byte(codes[name]);
    fields.signature(type);
    write();
  };
  const { path } = message;
  if (path !== undefined) field('path', 'o', () => fields.text(path));
  for (const name of ['interface', 'member', 'destination'] as const) {
    const value = message[name];
    if (value !== undefined) field(name, 's', () => fields.text(value));
  }
  const { replyTo } = message;
  if (replyTo !== undefined) field('replyTo', 'u', () => fields.number(replyTo));
  if (signature !== '') field('signature', 'g', () => fields.signature(signature));
  const whole = new Writer();
  for (const byte of [0x6c, message.type, 0, 1]) whole.byte(byte);
  whole.number(bytes.length);
  whole.number(message.serial);
  whole.number(fields.bytes.length);
  whole.append(fields.bytes);
  whole.align(8);
  whole.append(bytes);
  return whole.bytes;
}

/** The first message in `bytes` and how many it takes; undefined when it is not whole yet. */
export function decodeMessage(bytes: Buffer): { message: Message; length: number } | undefined {
  if (bytes.length < 16) return undefined;
  const fieldsEnd = 16 + bytes.readUInt32LE(12);
  const bodyAt = (fieldsEnd + 7) & ~7;
  const length = bodyAt + bytes.readUInt32LE(4);
  if (bytes.length < length) return undefined;
  const fields = new Map<number, string | number>();
  for (let at = 16; at < fieldsEnd;) {
    at = (at + 7) & ~7;
    const code = bytes[at]!;
    const type = String.fromCharCode(bytes[at + 2]!);
    at += 4;
    if (type === 'g') {
      const size = bytes[at]!;
      fields.set(code, bytes.toString('latin1', at + 1, at + 1 + size));
      at += size + 2;
      continue;
    }
    at = (at + 3) & ~3;
    const value = bytes.readUInt32LE(at);
    at += 4;
    if (type === 'u') {
      fields.set(code, value);
      continue;
    }
    fields.set(code, bytes.toString('utf8', at, at + value));
    at += value + 1;
  }
  const text = (name: keyof typeof codes): string | undefined => fields.get(codes[name]) as string | undefined;
  const optional = Object.fromEntries(
    (['path', 'interface', 'member', 'destination', 'sender'] as const).flatMap((name) => {
      const value = text(name);
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const replyTo = fields.get(codes.replyTo) as number | undefined;
  const texts = readTexts(bytes.subarray(bodyAt, length), text('signature') ?? '');
  const message: Message = {
    type: bytes[1]!,
    serial: bytes.readUInt32LE(8),
    ...optional,
    ...(replyTo === undefined ? {} : { replyTo }),
    texts,
  };
  return { message, length };
}

function readTexts(body: Buffer, signature: string): readonly string[] {
  const texts: string[] = [];
  let at = 0;
  for (const type of signature) {
    if (type !== 's' && type !== 'o') break;
    at = (at + 3) & ~3;
    const size = body.readUInt32LE(at);
    texts.push(body.toString('utf8', at + 4, at + 4 + size));
    at += 4 + size + 1;
  }
  return texts;
}
