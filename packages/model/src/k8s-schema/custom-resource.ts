// The schema of a custom resource as the walkers need it: what every Kubernetes object has, made explicit at the root
// and in embedded resources.
import type { Schema } from './schema.ts';

const text: Schema = { type: 'string' };

/** `declared` is `openAPIV3Schema` of a version, `objectMeta` the built-in schema of `metadata`. */
export const customResourceSchema = (declared: Schema, objectMeta: Schema): Schema =>
  asResource(expandEmbedded(declared, objectMeta), objectMeta);

const asResource = (schema: Schema, objectMeta: Schema): Schema => ({
  ...schema,
  type: 'object',
  properties: { ...schema.properties, apiVersion: text, kind: text, metadata: objectMeta },
});

function expandEmbedded(schema: Schema, objectMeta: Schema): Schema {
  const { properties, items, additionalProperties: extra } = schema;
  const expanded: Schema = {
    ...schema,
    ...(properties ? { properties: mapValues(properties, (field) => expandEmbedded(field, objectMeta)) } : {}),
    ...(items ? { items: expandEmbedded(items, objectMeta) } : {}),
    ...(typeof extra === 'object' ? { additionalProperties: expandEmbedded(extra, objectMeta) } : {}),
  };
  return schema['x-kubernetes-embedded-resource'] ? asResource(expanded, objectMeta) : expanded;
}

const mapValues = <A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
