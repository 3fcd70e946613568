// Kubernetes' own protobuf encoding, reading only: kubectl and Go programs send built-in kinds in it and take JSON back.
// An envelope (`k8s\0`, then runtime.Unknown) names the kind; the body is decoded into what its JSON form would be.
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { defineErrors } from '@kedge/core/errors';
import { messageFields } from './message-fields.ts';

export const protobufMediaType = 'application/vnd.kubernetes.protobuf';

export const kubeProtobufErrors = defineErrors('KUBEPROTOBUF', {
  BAD_MESSAGE: {
    retry: 'never',
    say: (d: { reason: string }) => `the body is not a Kubernetes protobuf message: ${d.reason}`,
  },
  UNKNOWN_KIND: {
    retry: 'never',
    say: (d: { apiVersion: string; kind: string }) =>
      `no protobuf encoding is known for ${d.kind} of ${d.apiVersion}; send JSON`,
  },
});

type Value = Record<string, unknown>;

interface Field {
  /** '' for a message whose fields belong to its parent. */
  readonly name: string;
  readonly container: 'one' | 'list' | 'map';
  /** Absent and zero are two things. */
  readonly explicit: boolean;
  readonly type: string;
}

const magic = [0x6b, 0x38, 0x73, 0x00];
const maxDepth = 100;

/** Prefix of the message names of a group and version. */
const packages: Readonly<Record<string, string>> = {
  v1: 'core',
  'autoscaling/v1': 'autoscaling1',
  'autoscaling/v2': 'autoscaling2',
};

const metaKinds = new Set(['DeleteOptions', 'PatchOptions', 'Status']);

/** The object in a request body, with apiVersion and kind. Throws KUBEPROTOBUF_BAD_MESSAGE or KUBEPROTOBUF_UNKNOWN_KIND. */
export function decodeKubeProtobuf(bytes: Uint8Array): Value {
  if (!magic.every((byte, at) => bytes[at] === byte))
    throw kubeProtobufErrors.BAD_MESSAGE({ reason: 'it has no k8s prefix' });
  try {
    const { apiVersion, kind, raw } = decodeEnvelope(bytes.subarray(magic.length));
    const prefix = metaKinds.has(kind) ? 'meta' : (packages[apiVersion] ?? apiVersion.split('/')[0]!.split('.')[0]!);
    const message = `${prefix}.${kind}`;
    if (!Object.hasOwn(messageFields, message)) throw kubeProtobufErrors.UNKNOWN_KIND({ apiVersion, kind });
    return { apiVersion, kind, ...decodeMessage(message, raw, 0) };
  } catch (error) {
    if (!(error instanceof Error) || 'code' in error) throw error;
    throw kubeProtobufErrors.BAD_MESSAGE({ reason: error.message }, error);
  }
}

function decodeEnvelope(bytes: Uint8Array): { apiVersion: string; kind: string; raw: Uint8Array } {
  const reader = new BinaryReader(bytes);
  const found = { apiVersion: '', kind: '', raw: new Uint8Array() };
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (number === 1) Object.assign(found, decodeTypeMeta(reader.bytes()));
    else if (number === 2) found.raw = new Uint8Array(reader.bytes());
    else reader.skip(wire, number);
  }
  return found;
}

function decodeTypeMeta(bytes: Uint8Array): { apiVersion?: string; kind?: string } {
  const reader = new BinaryReader(bytes);
  const found: { apiVersion?: string; kind?: string } = {};
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (number === 1) found.apiVersion = reader.string();
    else if (number === 2) found.kind = reader.string();
    else reader.skip(wire, number);
  }
  return found;
}

const parsed = new Map<string, ReadonlyMap<number, Field>>();

function fieldsOf(message: string): ReadonlyMap<number, Field> {
  const known = parsed.get(message);
  if (known) return known;
  const fields = new Map<number, Field>();
  for (const part of (messageFields[message] ?? '').split(' ').filter(Boolean)) {
    const [number = '', name = '', code = ''] = part.split(':');
    const [, mark = '', type = ''] = /^(\?|\[\]|\{\})?(.+)$/.exec(code)!;
    const container = mark === '[]' ? 'list' : mark === '{}' ? 'map' : 'one';
    fields.set(Number(number), { name, container, explicit: mark === '?', type });
  }
  parsed.set(message, fields);
  return fields;
}

function decodeMessage(message: string, bytes: Uint8Array, depth: number): Value {
  if (depth > maxDepth) throw new Error('it is nested too deeply');
  const reader = new BinaryReader(bytes);
  const fields = fieldsOf(message);
  const result: Value = {};
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    const field = fields.get(number);
    if (field) decodeField(result, field, reader, wire, depth);
    else reader.skip(wire, number);
  }
  return result;
}

function decodeField(result: Value, field: Field, reader: BinaryReader, wire: WireType, depth: number): void {
  const { name, container, type, explicit } = field;
  if (container === 'map') {
    const [key, value] = decodeEntry(type, reader.bytes(), depth);
    Object.defineProperty((result[name] ??= {}), key, { value, enumerable: true, configurable: true, writable: true });
  } else if (container === 'list') {
    const list = (result[name] ??= []) as unknown[];
    if (type === 'i' && wire === WireType.LengthDelimited) list.push(...decodePacked(reader.bytes()));
    else list.push(decodeValue(type, reader, depth));
  } else {
    const value = decodeValue(type, reader, depth);
    if (name === '') Object.assign(result, value);
    // Go writes every plain field, zero or not; its JSON leaves zeros out.
    else if (explicit || !isZero(value)) result[name] = value;
  }
}

const isZero = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  value === 0 ||
  value === false ||
  (typeof value === 'object' && Object.keys(value).length === 0);

function decodeEntry(type: string, bytes: Uint8Array, depth: number): [string, unknown] {
  const reader = new BinaryReader(bytes);
  let key = '';
  let value: unknown;
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (number === 1) key = reader.string();
    else if (number === 2) value = decodeValue(type, reader, depth);
    else reader.skip(wire, number);
  }
  return [key, value ?? (type === 's' || type === 'y' ? '' : {})];
}

function decodePacked(bytes: Uint8Array): number[] {
  const reader = new BinaryReader(bytes);
  const numbers: number[] = [];
  while (reader.pos < reader.len) numbers.push(Number(reader.int64()));
  return numbers;
}

function decodeValue(type: string, reader: BinaryReader, depth: number): unknown {
  switch (type) {
    case 's':
      return reader.string();
    case 'b':
      return reader.bool();
    case 'i':
      return Number(reader.int64());
    case 'd':
      return reader.double();
    case 'f':
      return reader.float();
    case 'y':
      return base64(reader.bytes());
    default:
      return decodeNested(type, reader.bytes(), depth + 1);
  }
}

function decodeNested(type: string, bytes: Uint8Array, depth: number): unknown {
  if (type.startsWith('=')) {
    const inner = { name: 'items', container: 'list', explicit: false, type: type.slice(1) } as const;
    const result: Value = { items: [] };
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [number, wire] = reader.tag();
      if (number === 1) decodeField(result, inner, reader, wire, depth);
      else reader.skip(wire, number);
    }
    return result['items'];
  }
  return special[type]?.(bytes, depth) ?? decodeMessage(type, bytes, depth);
}

/** All fields of a small message, last one wins. */
function rawFields(bytes: Uint8Array, types: Readonly<Record<number, string>>, depth: number): Record<number, unknown> {
  const reader = new BinaryReader(bytes);
  const found: Record<number, unknown> = {};
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    const type = types[number];
    if (type) found[number] = decodeValue(type, reader, depth);
    else reader.skip(wire, number);
  }
  return found;
}

const time =
  (digits: 0 | 6) =>
  (bytes: Uint8Array): string | null => {
    const { 1: seconds = 0, 2: nanos = 0 } = rawFields(bytes, { 1: 'i', 2: 'i' }, 0) as { 1?: number; 2?: number };
    // The zero time of Go is long before the epoch, and null in JSON.
    if (seconds <= -62_135_596_800 || bytes.length === 0) return null;
    const text = new Date(seconds * 1_000).toISOString().replace(/\.\d{3}Z$/, '');
    return digits === 0 ? `${text}Z` : `${text}.${String(Math.floor(nanos / 1_000)).padStart(6, '0')}Z`;
  };

/** Bytes that are JSON. */
const embedded = (bytes: Uint8Array): unknown => {
  const reader = new BinaryReader(bytes);
  let text = 'null';
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (number === 1) text = new TextDecoder().decode(reader.bytes()) || 'null';
    else reader.skip(wire, number);
  }
  return JSON.parse(text);
};

const special: Readonly<Record<string, (bytes: Uint8Array, depth: number) => unknown>> = {
  'meta.Time': time(0),
  'meta.MicroTime': time(6),
  'meta.Duration': (bytes) => `${Number(rawFields(bytes, { 1: 'i' }, 0)[1] ?? 0) / 1e9}s`,
  'meta.FieldsV1': embedded,
  'runtime.RawExtension': embedded,
  'apiextensions.JSON': embedded,
  'resource.Quantity': (bytes) => rawFields(bytes, { 1: 's' }, 0)[1] ?? '0',
  'intstr.IntOrString'(bytes) {
    const { 1: isText = 0, 2: number = 0, 3: text = '' } = rawFields(bytes, { 1: 'i', 2: 'i', 3: 's' }, 0);
    return isText ? text : number;
  },
  'apiextensions.JSONSchemaPropsOrArray'(bytes, depth) {
    const { 1: one } = rawFields(bytes, { 1: 'apiextensions.JSONSchemaProps' }, depth);
    return one ?? decodeList(bytes, 'apiextensions.JSONSchemaProps', depth);
  },
  'apiextensions.JSONSchemaPropsOrBool'(bytes, depth) {
    const { 1: allows = false, 2: schema } = rawFields(bytes, { 1: 'b', 2: 'apiextensions.JSONSchemaProps' }, depth);
    return schema ?? allows;
  },
  'apiextensions.JSONSchemaPropsOrStringArray'(bytes, depth) {
    const { 1: schema } = rawFields(bytes, { 1: 'apiextensions.JSONSchemaProps' }, depth);
    return schema ?? decodeList(bytes, 's', depth);
  },
};

function decodeList(bytes: Uint8Array, type: string, depth: number): unknown[] {
  const result: Value = {};
  const field = { name: 'items', container: 'list', explicit: false, type } as const;
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wire] = reader.tag();
    if (number === 2) decodeField(result, field, reader, wire, depth);
    else reader.skip(wire, number);
  }
  return (result['items'] as unknown[] | undefined) ?? [];
}

function base64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
