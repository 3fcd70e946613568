// Removes fields that the schema does not know, and says which they were: under strict field validation they are errors,
// otherwise warnings.
import { isObject } from '../k8s-patch/index.ts';
import type { Schema } from './schema.ts';
import { childPath } from './validate-value.ts';

export interface Pruned<T> {
  readonly value: T;
  /** Paths such as `spec.containers[0].imagee`. */
  readonly unknown: readonly string[];
}

export function pruneUnknown<T>(value: T, schema: Schema): Pruned<T> {
  const unknown: string[] = [];
  return { value: prune(value, schema, '', unknown) as T, unknown };
}

function prune(value: unknown, schema: Schema, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items ? value.map((item, at) => prune(item, items, `${path}[${at}]`, unknown)) : value;
  }
  if (!isObject(value)) return value;
  const kept = Object.entries(value).flatMap(([name, field]) => {
    const at = childPath(path, name);
    const known = schemaOfField(schema, name);
    if (known === 'any') return [[name, field] as const];
    if (known) return [[name, prune(field, known, at, unknown)] as const];
    unknown.push(at);
    return [];
  });
  return Object.fromEntries(kept);
}

/** The schema of a field; `any` where unknown content is kept, undefined where there may be no such field. */
export function schemaOfField(schema: Schema, name: string): Schema | 'any' | undefined {
  const { properties, additionalProperties: extra } = schema;
  if (properties && Object.hasOwn(properties, name)) return properties[name];
  if (extra) return extra === true ? 'any' : extra;
  return schema['x-kubernetes-preserve-unknown-fields'] ? 'any' : undefined;
}
