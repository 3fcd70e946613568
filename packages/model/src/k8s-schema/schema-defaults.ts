// Fills in the defaults that the schema of a CustomResourceDefinition declares. Built-in kinds have their own functions.
import { isObject, jsonCopy } from '../k8s-patch/index.ts';
import { schemaOfField } from './prune-unknown.ts';
import type { Schema } from './schema.ts';

/** The value with defaults; a null where none is allowed counts as absent, as in Kubernetes. */
export function applySchemaDefaults<T>(value: T, schema: Schema): T {
  return fill(value, schema) as T;
}

function fill(value: unknown, schema: Schema): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item) => fill(item, items)) : value;
  }
  if (!isObject(value)) return value;
  const result = new Map(Object.entries(value));
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    const current = result.get(name);
    const isAbsent = current === undefined || (current === null && !field.nullable);
    if (isAbsent && field.default !== undefined) result.set(name, jsonCopy(field.default));
  }
  for (const [name, field] of result) {
    const known = schemaOfField(schema, name);
    if (!known || known === 'any') continue;
    if (field === null && !known.nullable) result.delete(name);
    else result.set(name, fill(field, known));
  }
  return Object.fromEntries(result);
}
