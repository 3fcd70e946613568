// Reads an object of a built-in kind the way a Kubernetes server decodes one: fields of the wrong type are refused, null
// means absent, unknown fields are dropped and reported, quantities and times get their canonical form.
import { parseTime, toTime } from '@kedge/core/time';
import { fail } from '../k8s/index.ts';
import { isObject } from '../k8s-patch/index.ts';
import { canonicalQuantity } from '../k8s-quantity/index.ts';
import { isBase64, isDateTime } from './formats.ts';
import type { Pruned } from './prune-unknown.ts';
import { schemaOfField } from './prune-unknown.ts';
import type { Schema } from './schema.ts';
import { childPath } from './validate-value.ts';

interface Place {
  /** `spec.containers[0].name`, for reports of unknown fields. */
  readonly path: string;
  /** The type that declares the field and the fields on the way to it, as Go names them in decoding errors. */
  readonly owner: string;
  readonly fields: readonly string[];
}

class Unreadable extends Error {}

/** Only recursive schemas (a schema in a CustomResourceDefinition) can go deep. */
const maxPath = 10_000;

/** Throws a StatusError (BadRequest) that names the offending field. */
export function readBuiltin<T>(value: unknown, schema: Schema): Pruned<T> {
  const unknown: string[] = [];
  try {
    const read = readAny(value, schema, { path: '', owner: '', fields: [] }, unknown);
    return { value: read as T, unknown };
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const gvk = schema['x-kubernetes-group-version-kind']?.[0];
    const kind = gvk?.kind ?? 'object';
    throw fail(
      'BadRequest',
      `${kind} in version "${gvk?.version ?? ''}" cannot be handled as a ${kind}: ${error.message}`,
    );
  }
}

function readAny(value: unknown, schema: Schema, place: Place, unknown: string[]): unknown {
  if (place.path.length > maxPath) throw new Unreadable('exceeded max depth');
  if (schema['x-kubernetes-int-or-string']) return readIntOrString(value, place);
  switch (schema.type) {
    case 'object':
      return readObject(value, schema, place, unknown);
    case 'array':
      return readArray(value, schema, place, unknown);
    case 'string':
      return readString(value, schema, place);
    case 'boolean':
      return typeof value === 'boolean' ? value : mismatch(value, schema, place);
    case 'integer':
    case 'number':
      return readNumber(value, schema, place);
    default:
      return value;
  }
}

function readObject(value: unknown, schema: Schema, place: Place, unknown: string[]): unknown {
  if (!isObject(value)) return mismatch(value, schema, place);
  const read: [string, unknown][] = [];
  for (const [name, field] of Object.entries(value)) {
    const path = childPath(place.path, name);
    const known = schemaOfField(schema, name);
    if (known === undefined) unknown.push(path);
    else if (known === 'any') read.push([name, field]);
    else if (field !== null) read.push([name, readAny(field, known, below(place, schema, name, path), unknown)]);
  }
  return Object.fromEntries(read);
}

/** Keys of a map are not named in Go's errors, fields are. */
function below(place: Place, schema: Schema, name: string, path: string): Place {
  if (!schema.properties || !Object.hasOwn(schema.properties, name)) return { ...place, path };
  return { path, owner: schema.title?.split('.').at(-1) ?? place.owner, fields: [...place.fields, name] };
}

function readArray(value: unknown, schema: Schema, place: Place, unknown: string[]): unknown {
  if (!Array.isArray(value)) return mismatch(value, schema, place);
  const items = schema.items ?? {};
  return value.map((item, at) =>
    item === null ? zeroOf(items) : readAny(item, items, { ...place, path: `${place.path}[${at}]` }, unknown),
  );
}

/** What Go makes of a null in a list. */
function zeroOf(schema: Schema): unknown {
  switch (schema.type) {
    case 'string':
      return '';
    case 'integer':
    case 'number':
      return 0;
    case 'boolean':
      return false;
    case 'array':
      return [];
    default:
      return {};
  }
}

function readIntOrString(value: unknown, place: Place): unknown {
  const isInt32 = typeof value === 'number' && Number.isInteger(value) && Math.abs(value) <= 2 ** 31;
  return isInt32 || typeof value === 'string' ? value : mismatch(value, { type: 'integer', format: 'int32' }, place);
}

function readNumber(value: unknown, schema: Schema, place: Place): unknown {
  if (typeof value !== 'number') return mismatch(value, schema, place);
  if (schema.type === 'number') return value;
  const limit = schema.format === 'int32' ? 2 ** 31 : 2 ** 63;
  return Number.isInteger(value) && value >= -limit && value < limit ? value : mismatch(value, schema, place);
}

function readString(value: unknown, schema: Schema, place: Place): unknown {
  if (schema.format === 'quantity') return readQuantity(value, schema, place);
  if (typeof value !== 'string') return mismatch(value, schema, place);
  switch (schema.format) {
    case 'byte':
      if (!isBase64(value)) throw new Unreadable(`illegal base64 data in ${place.path}`);
      return value;
    case 'date-time':
      return toTime(parseTime(checkTime(value))!);
    case 'micro-time':
      return toMicroseconds(checkTime(value));
    default:
      return value;
  }
}

function readQuantity(value: unknown, schema: Schema, place: Place): unknown {
  if (typeof value !== 'string' && typeof value !== 'number') return mismatch(value, schema, place);
  const canonical = canonicalQuantity(value);
  if (canonical === undefined) {
    throw new Unreadable(
      `${place.path}: quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
    );
  }
  return canonical;
}

function checkTime(text: string): string {
  if (isDateTime(text)) return text;
  const shown = JSON.stringify(text);
  throw new Unreadable(`parsing time ${shown} as "2006-01-02T15:04:05Z07:00": cannot parse ${shown} as "2006"`);
}

function toMicroseconds(text: string): string {
  const fraction = (/\.(\d+)/.exec(text)?.[1] ?? '').slice(0, 6).padEnd(6, '0');
  return toTime(parseTime(text)!).replace('Z', `.${fraction}Z`);
}

function mismatch(value: unknown, schema: Schema, { owner, fields }: Place): never {
  const where = fields.length > 0 ? `Go struct field ${owner}.${fields.join('.')} of type` : 'Go value of type';
  throw new Unreadable(`json: cannot unmarshal ${jsonName(value)} into ${where} ${goType(schema)}`);
}

function jsonName(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value !== 'number') return value === null ? 'null' : typeof value;
  return Number.isInteger(value) && Math.abs(value) < 2 ** 31 ? 'number' : `number ${value}`;
}

function goType(schema: Schema): string {
  if (schema.title) return schema.title;
  switch (schema.type) {
    case 'array':
      return `[]${goType(schema.items ?? {})}`;
    case 'object':
      return `map[string]${typeof schema.additionalProperties === 'object' ? goType(schema.additionalProperties) : 'interface {}'}`;
    case 'boolean':
      return 'bool';
    case 'integer':
      return schema.format ?? 'int64';
    case 'number':
      return 'float64';
    default:
      return schema.format === 'byte' ? '[]byte' : 'string';
  }
}
