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
    let all: unknown[] | undefined;
    for (const [at, item] of value.entries()) {
      const filled = fill(item, items);
      if (filled !== item) (all ??= [...value])[at] = filled;
    }
    return all ?? value;
  }
  if (!isObject(value)) return value;
  // Made when the first field changes: most objects have their defaults.
  let result: Map<string, unknown> | undefined;
  const changing = (): Map<string, unknown> => (result ??= new Map(Object.entries(value)));
  for (const { name, field } of withDefault(schema)) {
    const current = Object.hasOwn(value, name) ? value[name] : undefined;
    const isAbsent = current === undefined || (current === null && !field.nullable);
    if (isAbsent) changing().set(name, jsonCopy(field.default));
  }
  for (const name of result ? [...result.keys()] : Object.keys(value)) {
    const field = result ? result.get(name) : value[name];
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

type Default = { readonly name: string; readonly field: Schema };
const defaults = new WeakMap<Schema, readonly Default[]>();

/** The fields of a schema that have a default. */
function withDefault(schema: Schema): readonly Default[] {
  let known = defaults.get(schema);
  if (!known) {
    known = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
      field.default === undefined ? [] : [{ name, field }],
    );
    defaults.set(schema, known);
  }
  return known;
}
