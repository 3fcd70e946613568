// Types and values of custom resources as CEL sees them, both made from the schema: objects with fixed fields, maps,
// lists, times; field names that are no identifiers are escaped as Kubernetes escapes them.
import type { Environment } from '@marcbachmann/cel-js';
import { isObject } from '../k8s-patch/index.ts';
import { isDateTime, type Schema } from '../k8s-schema/index.ts';
import type { Cel } from './cel-environment.ts';
import { CelObject, deepEqual, toDynamic } from './values.ts';

export interface CelTypes {
  /** The type's name in the environment. */
  of(schema: Schema): string;
  /** A JSON value of that schema as a CEL value. */
  value(json: unknown, schema: Schema): unknown;
}

const keywords = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return'.split(' '),
);

/** How a field is spelled in expressions; undefined when it cannot be. */
export function escapeField(name: string): string | undefined {
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(name)) return undefined;
  if (keywords.has(name)) return `__${name}__`;
  return name
    .replaceAll('__', '__underscores__')
    .replaceAll('.', '__dot__')
    .replaceAll('-', '__dash__')
    .replaceAll('/', '__slash__');
}

const timestamp = 'google.protobuf.Timestamp';
const duration = 'google.protobuf.Duration';
/** More types than this in one rule's schema are left to run time. */
const maxTypes = 2_000;

type ObjectClass = new () => CelObject;

/** Registers the types a schema needs. */
export function createCelTypes(env: Environment, { parseDuration }: Pick<Cel, 'parseDuration'>): CelTypes {
  const known = new Map<Schema, string>();
  const classes = new Map<Schema, ObjectClass>();
  let count = 0;

  function typeOf(schema: Schema): string {
    const found = known.get(schema);
    if (found !== undefined) return found;
    const type = makeType(schema);
    known.set(schema, type);
    return type;
  }
  function makeType(schema: Schema): string {
    if (schema['x-kubernetes-int-or-string']) return 'dyn';
    switch (schema.type) {
      case 'array':
        return `list<${schema.items ? typeOf(schema.items) : 'dyn'}>`;
      case 'object':
        return objectType(schema);
      case 'integer':
        return 'int';
      case 'number':
        return 'double';
      case 'boolean':
        return 'bool';
      case 'string':
        return stringType(schema);
      default:
        return 'dyn';
    }
  }
  function objectType(schema: Schema): string {
    const { properties, additionalProperties: extra } = schema;
    if (typeof extra === 'object') return `map<string, ${typeOf(extra)}>`;
    if (!properties || Object.keys(properties).length === 0 || count >= maxTypes) return 'dyn';
    const name = `object${++count}`;
    const fields: Record<string, string> = {};
    for (const [field, inner] of Object.entries(properties)) {
      const escaped = escapeField(field);
      if (escaped !== undefined) fields[escaped] = typeOf(inner);
    }
    const ofType: ObjectClass = class extends CelObject {};
    classes.set(schema, ofType);
    env.registerType(name, { ctor: ofType, fields });
    env.registerOperator(`${name} == ${name}`, equalObjects);
    return name;
  }
  function value(json: unknown, schema: Schema): unknown {
    if (json === null || json === undefined) return null;
    if (schema['x-kubernetes-int-or-string']) return toDynamic(json);
    if (Array.isArray(json)) {
      const { items } = schema;
      return items ? json.map((item) => value(item, items)) : toDynamic(json);
    }
    if (isObject(json)) return objectValue(json, schema);
    if (typeof json === 'number') return schema.type === 'integer' ? BigInt(Math.trunc(json)) : json;
    return typeof json === 'string' && schema.type === 'string' ? stringValue(json, schema) : json;
  }
  function objectValue(json: Readonly<Record<string, unknown>>, schema: Schema): unknown {
    const { properties, additionalProperties: extra } = schema;
    if (typeof extra === 'object') {
      return new Map(Object.entries(json).map(([name, field]) => [name, value(field, extra)]));
    }
    typeOf(schema);
    const ofType = classes.get(schema);
    if (!ofType || !properties) return toDynamic(json);
    const made = new ofType();
    for (const [name, field] of Object.entries(json)) {
      const escaped = escapeField(name);
      const inner = Object.hasOwn(properties, name) ? properties[name] : undefined;
      // A null field counts as absent.
      if (escaped !== undefined && inner && field !== null && field !== undefined)
        made.set(escaped, value(field, inner));
    }
    return made;
  }
  function stringValue(text: string, { format }: Schema): unknown {
    switch (format) {
      case 'byte':
        return bytesOf(text);
      case 'date':
        return new Date(`${text}T00:00:00Z`);
      case 'date-time':
      case 'datetime':
        return isDateTime(text) ? new Date(text) : text;
      case 'duration':
        return parseDuration(text);
      default:
        return text;
    }
  }
  return { of: typeOf, value };
}

function stringType({ format }: Schema): string {
  switch (format) {
    case 'byte':
      return 'bytes';
    case 'date':
    case 'date-time':
    case 'datetime':
      return timestamp;
    case 'duration':
      return duration;
    default:
      return 'string';
  }
}

function bytesOf(base64: string): unknown {
  try {
    return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  } catch {
    return base64;
  }
}

function equalObjects(a: unknown, b: unknown): boolean {
  return a instanceof Map && b instanceof Map && deepEqual(a, b);
}
