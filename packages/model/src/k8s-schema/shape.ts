// The view of a schema that patches and server-side apply take.
import type { Shape } from '../k8s-patch/index.ts';
import type { Schema } from './schema.ts';

const shapes = new WeakMap<Schema, Shape>();

/** The shape of a schema; the same object for the same schema. */
export function shapeOf(schema: Schema): Shape {
  const known = shapes.get(schema);
  if (known) return known;
  const shape = createShape(schema);
  shapes.set(schema, shape);
  return shape;
}

function createShape(schema: Schema): Shape {
  const type = typeOf(schema);
  return {
    type,
    field: (name) => fieldOf(schema, name),
    get items() {
      return schema.items && shapeOf(schema.items);
    },
    strategies: schema['x-kubernetes-patch-strategy']?.split(',') ?? [],
    mergeKey: schema['x-kubernetes-patch-merge-key'],
    list: schema['x-kubernetes-list-type'] ?? 'atomic',
    mapKeys: schema['x-kubernetes-list-map-keys'] ?? [],
    atomic: schema['x-kubernetes-map-type'] === 'atomic',
    defaultValue: schema.default,
  };
}

function typeOf(schema: Schema): Shape['type'] {
  if (schema['x-kubernetes-int-or-string']) return 'scalar';
  switch (schema.type) {
    case undefined:
      return undefined;
    case 'array':
      return 'array';
    case 'object':
      return schema.properties ? 'object' : schema.additionalProperties ? 'map' : undefined;
    default:
      return 'scalar';
  }
}

function fieldOf(schema: Schema, name: string): Shape | undefined {
  const field = schema.properties && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined;
  if (field) return shapeOf(field);
  return typeof schema.additionalProperties === 'object' ? shapeOf(schema.additionalProperties) : undefined;
}
