// Fills in the defaults that the schema of a CustomResourceDefinition declares. Built-in kinds have their own functions.
import { isObject, jsonCopy } from '../k8s-patch/index.ts';
import { schemaOfField } from './prune-unknown.ts';
import type { Schema } from './schema.ts';

/** The value with defaults, itself when it has them; a null where none is allowed counts as absent, as in Kubernetes. */
export function applySchemaDefaults<T>(value: T, schema: Schema): T {
  return fill(value, schema) as T;
}

function fill(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (!items) return value;
    const filled = value.map((item) => fill(item, items));
    return filled.every((item, at) => item === value[at]) ? value : filled;
  }
  if (!isObject(value)) return value;
  // Made when the first field changes: most objects have their defaults.
  let result: Map<string, unknown> | undefined;
  const changing = (): Map<string, unknown> => (result ??= new Map(Object.entries(value)));
  const { properties = {} } = schema;
  for (const name of Object.keys(properties)) {
    const field = properties[name]!;
    if (field.default === undefined) continue;
    const current = Object.hasOwn(value, name) ? value[name] : undefined;
    const isAbsent = current === undefined || (current === null && !field.nullable);
    if (isAbsent) changing().set(name, jsonCopy(field.default));
  }
  for (const [name, field] of result ?? Object.entries(value)) {
    const known = schemaOfField(schema, name);
    if (!known || known === 'any') continue;
    if (field === null && !known.nullable) changing().delete(name);
    else if (typeof field === 'object') {
      const filled = fill(field, known);
      if (filled !== field) changing().set(name, filled);
    }
  }
  return result ? Object.fromEntries(result) : value;
}
