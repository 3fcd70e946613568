// Checks that the schema of a CustomResourceDefinition is structural: every value has one type, said in one place, so that
// pruning and defaulting know what to do. Also refuses what the runtime could not carry out.
import { forbiddenField, invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { pruneUnknown } from './prune-unknown.ts';
import { compilePattern } from './pattern.ts';
import type { Schema } from './schema.ts';
import { validateValue } from './validate-value.ts';

type Position = 'additionalProperties' | 'field' | 'items' | 'root';

const where: Readonly<Record<Position, string>> = {
  root: 'at the root',
  field: 'for specified object fields',
  items: 'for specified array items',
  additionalProperties: 'for specified object fields',
};

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string'];
const maxDepth = 100;

/** The field errors of a schema at `path`, such as `spec.versions[0].schema.openAPIV3Schema`. */
export function checkStructuralSchema(schema: Schema, path: string): FieldError[] {
  return [
    ...(schema.type !== undefined && schema.type !== 'object'
      ? [invalidField(`${path}.type`, schema.type, 'must be object at the root')]
      : []),
    ...checkRootMetadata(schema, path),
    ...checkNode(schema, path, 'root', 0),
  ];
}

function checkRootMetadata(schema: Schema, path: string): FieldError[] {
  const metadata = schema.properties?.['metadata'];
  if (!metadata) return [];
  const extra = Object.keys(metadata.properties ?? {}).some((name) => name !== 'name' && name !== 'generateName');
  return extra || metadata.required?.length
    ? [
        forbiddenField(
          `${path}.properties[metadata]`,
          'must not specify anything other than name and generateName, but metadata is implicitly specified',
        ),
      ]
    : [];
}

function checkNode(schema: Schema, path: string, position: Position, depth: number): FieldError[] {
  if (depth > maxDepth) return [forbiddenField(path, 'is nested too deeply')];
  return [
    ...checkType(schema, path, position),
    ...checkForbidden(schema, path),
    ...checkExtensions(schema, path),
    ...checkPattern(schema, path),
    ...checkDefault(schema, path, position),
    ...checkChildren(schema, path, depth),
    ...combinations(schema, path).flatMap(([part, at]) => checkValidation(part, schema, at, depth + 1)),
  ];
}

function checkType(schema: Schema, path: string, position: Position): FieldError[] {
  const isOpen = schema['x-kubernetes-int-or-string'] || schema['x-kubernetes-preserve-unknown-fields'];
  if (!schema.type)
    return isOpen && position !== 'root' ? [] : [requiredField(`${path}.type`, `must not be empty ${where[position]}`)];
  if (schema['x-kubernetes-int-or-string']) {
    return [forbiddenField(`${path}.type`, 'must be empty if x-kubernetes-int-or-string is specified')];
  }
  return types.includes(schema.type) ? [] : [unsupportedField(`${path}.type`, schema.type, types)];
}

function checkForbidden(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const unknownKeywords = ['$ref', 'definitions', 'dependencies', 'patternProperties', 'additionalItems', 'id'];
  for (const keyword of unknownKeywords) {
    if (keyword in schema) errors.push(forbiddenField(`${path}.${keyword}`, `${keyword} is not supported`));
  }
  if (schema.uniqueItems) {
    errors.push(
      forbiddenField(
        `${path}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    );
  }
  if (schema.additionalProperties === false) {
    errors.push(forbiddenField(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'));
  }
  if (schema.additionalProperties && schema.properties && Object.keys(schema.properties).length > 0) {
    errors.push(
      forbiddenField(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'),
    );
  }
  if (Array.isArray(schema.items))
    errors.push(forbiddenField(`${path}.items`, 'items must be a schema object and not an array'));
  if (schema.type === 'array' && !schema.items) errors.push(requiredField(`${path}.items`, 'must be specified'));
  return errors;
}

function checkExtensions(schema: Schema, path: string): FieldError[] {
  return [
    ...(schema['x-kubernetes-preserve-unknown-fields'] === false
      ? [invalidField(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined')]
      : []),
    ...(schema['x-kubernetes-embedded-resource'] && schema.type !== 'object'
      ? [invalidField(`${path}.type`, schema.type ?? '', 'must be object if x-kubernetes-embedded-resource is true')]
      : []),
    ...checkListType(schema, path),
  ];
}

function checkListType(schema: Schema, path: string): FieldError[] {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const keysPath = `${path}.x-kubernetes-list-map-keys`;
  if (listType !== undefined && schema.type !== 'array') {
    return [invalidField(`${path}.type`, schema.type ?? '', 'must be array if x-kubernetes-list-type is specified')];
  }
  if (listType !== 'map') {
    return keys.length > 0
      ? [
          invalidField(
            `${path}.x-kubernetes-list-type`,
            listType ?? '',
            'must be map if x-kubernetes-list-map-keys is non-empty',
          ),
        ]
      : [];
  }
  if (keys.length === 0) return [requiredField(keysPath, 'must not be empty if x-kubernetes-list-type is map')];
  return keys.flatMap((key, at) => checkMapKey(key, schema.items ?? {}, `${keysPath}[${at}]`));
}

function checkMapKey(key: string, items: Schema, path: string): FieldError[] {
  const field = items.properties?.[key];
  if (!field) return [invalidField(path, key, 'entries must all be names of item properties')];
  if (field.type === 'array' || field.type === 'object') {
    return [invalidField(path, key, 'a property in x-kubernetes-list-map-keys must be a scalar')];
  }
  return items.required?.includes(key) || field.default !== undefined
    ? []
    : [
        requiredField(
          path,
          `this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
        ),
      ];
}

const checkPattern = ({ pattern }: Schema, path: string): FieldError[] =>
  pattern !== undefined && !compilePattern(pattern)
    ? [invalidField(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${pattern}`)]
    : [];

function checkDefault(schema: Schema, path: string, position: Position): FieldError[] {
  if (schema.default === undefined) return [];
  if (position === 'root') return [forbiddenField(`${path}.default`, 'must not be set at the root')];
  const { unknown } = pruneUnknown(schema.default, schema);
  return [
    ...unknown.map((name) => invalidField(`${path}.default`, schema.default, `must not have unknown fields: ${name}`)),
    ...validateValue(schema.default, schema, `${path}.default`),
  ];
}

function checkChildren(schema: Schema, path: string, depth: number): FieldError[] {
  const extra = schema.additionalProperties;
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
      checkNode(field, `${path}.properties[${name}]`, 'field', depth + 1),
    ),
    ...(schema.items && !Array.isArray(schema.items)
      ? checkNode(schema.items, `${path}.items`, 'items', depth + 1)
      : []),
    ...(typeof extra === 'object'
      ? checkNode(extra, `${path}.additionalProperties`, 'additionalProperties', depth + 1)
      : []),
  ];
}

const combinations = ({ allOf = [], anyOf = [], oneOf = [], not }: Schema, path: string): [Schema, string][] => [
  ...allOf.map((part, at): [Schema, string] => [part, `${path}.allOf[${at}]`]),
  ...anyOf.map((part, at): [Schema, string] => [part, `${path}.anyOf[${at}]`]),
  ...oneOf.map((part, at): [Schema, string] => [part, `${path}.oneOf[${at}]`]),
  ...(not ? [[not, `${path}.not`] as [Schema, string]] : []),
];

const structuralOnly = [
  'type',
  'description',
  'title',
  'default',
  'nullable',
  'additionalProperties',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-embedded-resource',
  'x-kubernetes-int-or-string',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
] as const;

/** Inside allOf, anyOf, oneOf and not there are only limits, on fields that the structure outside has. */
function checkValidation(part: Schema, structure: Schema, path: string, depth: number): FieldError[] {
  if (depth > maxDepth) return [forbiddenField(path, 'is nested too deeply')];
  const isIntOrString = structure['x-kubernetes-int-or-string'] && (part.type === 'integer' || part.type === 'string');
  const misplaced = structuralOnly.filter(
    (keyword) => part[keyword] !== undefined && !(keyword === 'type' && isIntOrString),
  );
  return [
    ...misplaced.map((keyword) => forbiddenField(`${path}.${keyword}`, 'must be empty to be structural')),
    ...checkPattern(part, path),
    ...Object.entries(part.properties ?? {}).flatMap(([name, field]) => {
      const counterpart =
        structure.properties?.[name] ??
        (typeof structure.additionalProperties === 'object' ? structure.additionalProperties : undefined);
      return counterpart
        ? checkValidation(field, counterpart, `${path}.properties[${name}]`, depth + 1)
        : [requiredField(`${path}.properties[${name}]`, `because it is defined in ${path}`)];
    }),
    ...(part.items && structure.items ? checkValidation(part.items, structure.items, `${path}.items`, depth + 1) : []),
    ...combinations(part, path).flatMap(([nested, at]) => checkValidation(nested, structure, at, depth + 1)),
  ];
}
