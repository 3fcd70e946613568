// Resources inside of custom resources (x-kubernetes-embedded-resource): kind, version and metadata have to be in order as
// in any other.
import { checkDns1035Label, type FieldError, invalidField, type ObjectMeta, requiredField } from '@kedge/model/k8s';
import { checkMetadata } from '@kedge/model/k8s-kinds';
import { isObject } from '@kedge/model/k8s-patch';
import type { Schema } from '@kedge/model/k8s-schema';

const embeds = new WeakMap<Schema, boolean>();

/** Whether there may be resources in a value of this schema: mostly there are none, and it need not be walked. */
function hasEmbedded(schema: Schema): boolean {
  const known = embeds.get(schema);
  if (known !== undefined) return known;
  const { properties = {}, items, additionalProperties: extra } = schema;
  const has =
    schema['x-kubernetes-embedded-resource'] === true ||
    Object.values(properties).some(hasEmbedded) ||
    (items !== undefined && hasEmbedded(items)) ||
    (typeof extra === 'object' && hasEmbedded(extra));
  embeds.set(schema, has);
  return has;
}

export function checkEmbedded(value: unknown, schema: Schema, path = ''): FieldError[] {
  if (!hasEmbedded(schema)) return [];
  if (Array.isArray(value))
    return value.flatMap((item, at) => (schema.items ? checkEmbedded(item, schema.items, `${path}[${at}]`) : []));
  if (!isObject(value)) return [];
  const errors = schema['x-kubernetes-embedded-resource'] ? checkResource(value, path) : [];
  const { properties, additionalProperties: extra } = schema;
  for (const [name, field] of Object.entries(value)) {
    const known = properties && Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (known) errors.push(...checkEmbedded(field, known, path ? `${path}.${name}` : name));
    else if (typeof extra === 'object') errors.push(...checkEmbedded(field, extra, `${path}[${name}]`));
  }
  return errors;
}

function checkResource(resource: Readonly<Record<string, unknown>>, path: string): FieldError[] {
  const { apiVersion, kind, metadata } = resource;
  const text = (value: unknown, at: string): FieldError[] => {
    if (value === undefined) return [requiredField(at, 'must not be empty')];
    return value === '' ? [invalidField(at, value, 'must not be empty')] : [];
  };
  return [
    ...text(apiVersion, `${path}.apiVersion`),
    ...text(kind, `${path}.kind`),
    ...(typeof kind === 'string' && kind !== ''
      ? checkDns1035Label(kind.toLowerCase()).map((sentence) =>
          invalidField(`${path}.kind`, kind, `may have mixed case, but should otherwise match: ${sentence}`),
        )
      : []),
    ...(isObject(metadata) ? checkOwnMetadata(metadata, path) : []),
  ];
}

function checkOwnMetadata(metadata: ObjectMeta, path: string): FieldError[] {
  const given = { ...metadata, name: metadata.name || 'fakename' };
  const rules = { namespaced: metadata.namespace !== undefined, checkName: checkPathSegment };
  return checkMetadata(given, rules).map((error) => ({ ...error, field: `${path}.${error.field}` }));
}

function checkPathSegment(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%'].filter((char) => name.includes(char)).map((char) => `may not contain '${char}'`);
}
