// Turns a table of definitions that refer to each other by name into schemas that hold each other, so that walkers need
// no lookup. Each is titled with its short name. The result may be cyclic (JSONSchemaProps is), which is why it is never printed; publish from the table.
import type { DefinitionTable, Schema, StoredSchema } from './schema.ts';

type Mutable = { -readonly [K in keyof Schema]: Schema[K] };

/** One linked schema per definition, by full name. */
export function linkDefinitions(table: DefinitionTable): ReadonlyMap<string, Schema> {
  const linked = new Map<string, Mutable>();

  function definition(name: string): Mutable {
    const known = linked.get(name);
    if (known) return known;
    const stored = table[name];
    if (!stored) throw new Error(`schema refers to the definition ${name}, which does not exist`);
    const schema: Mutable = {};
    linked.set(name, schema);
    return Object.assign(schema, link(stored), { title: goName(name) });
  }

  function link(stored: StoredSchema): Schema {
    const { $ref, properties, items, additionalProperties, ...rest } = stored;
    const schema: Mutable = rest;
    if (properties) schema.properties = mapValues(properties, link);
    if (items) schema.items = link(items);
    if (additionalProperties !== undefined) {
      schema.additionalProperties =
        typeof additionalProperties === 'boolean' ? additionalProperties : link(additionalProperties);
    }
    if ($ref === undefined) return schema;
    const target = definition($ref);
    return Object.keys(rest).length === 0 ? target : beside(target, rest);
  }

  /** A reference with keywords of its own; the target may still be under construction, so its keywords are inherited. */
  const beside = (target: Mutable, own: Schema): Schema => Object.assign(Object.create(target) as Mutable, own);

  Object.keys(table).forEach(definition);
  return linked;
}

/** `v1.PodSpec` for `io.k8s.api.core.v1.PodSpec`: the name that decoding errors use. */
const goName = (name: string): string => name.split('.').slice(-2).join('.');

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
