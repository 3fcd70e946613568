// Removes fields that the schema does not know, and says which they were: under strict field validation they are errors,
// otherwise warnings. Each write of a custom resource comes by here several times, mostly with nothing to remove: what stays
// as it is is not copied.
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
  return { value: prune(value, schema, top, unknown) as T, unknown };
}

/** Where a value is; spelled out only when something is wrong there. */
interface Place {
  readonly of: Place | undefined;
  readonly step: string | number;
}

const top: Place = { of: undefined, step: '' };

function pathOf({ of, step }: Place): string {
  if (!of) return '';
  return typeof step === 'number' ? `${pathOf(of)}[${step}]` : childPath(pathOf(of), step);
}

function prune(value: unknown, schema: Schema, place: Place, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (!items) return value;
    let pruned: unknown[] | undefined;
    for (const [at, item] of value.entries()) {
      if (typeof item !== 'object') continue;
      const kept = prune(item, items, { of: place, step: at }, unknown);
      if (kept !== item) (pruned ??= [...value])[at] = kept;
    }
    return pruned ?? value;
  }
  if (!isObject(value)) return value;
  // Undefined: it goes.
  let changed: Map<string, unknown> | undefined;
  for (const name of Object.keys(value)) {
    const field = value[name];
    const known = schemaOfField(schema, name);
    if (known === 'any') continue;
    if (known === undefined) {
      unknown.push(pathOf({ of: place, step: name }));
      (changed ??= new Map()).set(name, undefined);
      continue;
    }
    if (typeof field !== 'object') continue;
    const pruned = prune(field, known, { of: place, step: name }, unknown);
    if (pruned !== field) (changed ??= new Map()).set(name, pruned);
  }
  if (!changed) return value;
  const kept = Object.entries(value).flatMap(([name, field]) => {
    if (!changed.has(name)) return [[name, field] as const];
    const pruned = changed.get(name);
    return pruned === undefined ? [] : [[name, pruned] as const];
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
