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
  const { type: _, properties = {}, default: __, ...others } = metadata;
  const extra = Object.keys(properties).some((name) => name !== 'name' && name !== 'generateName');
  return extra || Object.keys(others).length > 0
    ? [
        forbiddenField(
          `${path}.properties[metadata]`,
          'must not specify anything other than name and generateName, but metadata is implicitly specified',
        ),
      ]
    : [];
}

function checkNode(schema: Schema, path: string, position: Position, depth: number, inMetadata = false): FieldError[] {
  if (depth > maxDepth) return [forbiddenField(path, 'is nested too deeply')];
  return [
    ...checkType(schema, path, position),
    ...checkForbidden(schema, path, position),
    ...checkExtensions(schema, path, inMetadata),
    ...checkResourceFields(schema, path, position),
    ...checkPattern(schema, path),
    ...checkDefault(schema, path, position),
    ...checkChildren(schema, path, position, depth, inMetadata),
    ...combinations(schema, path).flatMap(([part, at]) => checkValidation(part, schema, at, depth + 1)),
  ];
}

function checkType(schema: Schema, path: string, position: Position): FieldError[] {
  const isOpen = schema['x-kubernetes-int-or-string'] || schema['x-kubernetes-preserve-unknown-fields'];
  if (!schema.type) {
    // A reference is refused as such.
    if ('$ref' in schema) return [];
    // Said below, with the reason.
    if (schema['x-kubernetes-embedded-resource']) return [];
    return isOpen && position !== 'root' ? [] : [requiredField(`${path}.type`, `must not be empty ${where[position]}`)];
  }
  return types.includes(schema.type) ? [] : [unsupportedField(`${path}.type`, schema.type, types)];
}

/** What a whole resource has of its own must be what every resource has. */
function checkResourceFields(schema: Schema, path: string, position: Position): FieldError[] {
  const embedded = schema['x-kubernetes-embedded-resource'];
  if (position !== 'root' && !embedded) return [];
  const { kind, apiVersion, metadata } = schema.properties ?? {};
  const mustBe = (field: string, is: Schema | undefined, type: string): FieldError[] =>
    is && is.type !== type ? [invalidField(`${path}.properties[${field}].type`, is.type ?? '', `must be ${type}`)] : [];
  return [
    ...mustBe('kind', kind, 'string'),
    ...mustBe('apiVersion', apiVersion, 'string'),
    ...mustBe('metadata', metadata, 'object'),
    ...(position === 'root' && schema.nullable
      ? [forbiddenField(`${path}.nullable`, 'nullable cannot be true at the root')]
      : []),
    ...(embedded && schema.additionalProperties
      ? [forbiddenField(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set')]
      : []),
    ...(embedded && !schema['x-kubernetes-preserve-unknown-fields'] && !Object.keys(schema.properties ?? {}).length
      ? [
          requiredField(
            `${path}.properties`,
            'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields',
          ),
        ]
      : []),
  ];
}

function checkForbidden(schema: Schema, path: string, position: Position): FieldError[] {
  const errors: FieldError[] = [];
  if (position === 'root' && schema.additionalProperties !== undefined)
    errors.push(forbiddenField(`${path}.additionalProperties`, 'must not be used at the root'));
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
  if (
    schema.additionalProperties !== undefined &&
    schema.additionalProperties !== true &&
    schema.properties &&
    Object.keys(schema.properties).length > 0
  ) {
    errors.push(
      forbiddenField(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'),
    );
  }
  if (Array.isArray(schema.items))
    errors.push(forbiddenField(`${path}.items`, 'items must be a schema object and not an array'));
  if (schema.type === 'array' && !schema.items) errors.push(requiredField(`${path}.items`, 'must be specified'));
  return errors;
}

function checkExtensions(schema: Schema, path: string, inMetadata: boolean): FieldError[] {
  const intOrString = schema['x-kubernetes-int-or-string'];
  return [
    ...(schema['x-kubernetes-preserve-unknown-fields'] === false
      ? [invalidField(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined')]
      : []),
    ...(intOrString && schema['x-kubernetes-preserve-unknown-fields']
      ? [
          invalidField(
            `${path}.x-kubernetes-preserve-unknown-fields`,
            true,
            'must be false if x-kubernetes-int-or-string is true',
          ),
        ]
      : []),
    ...(intOrString && schema['x-kubernetes-embedded-resource']
      ? [
          invalidField(
            `${path}.x-kubernetes-embedded-resource`,
            true,
            'must be false if x-kubernetes-int-or-string is true',
          ),
        ]
      : []),
    ...(inMetadata && schema['x-kubernetes-embedded-resource']
      ? [forbiddenField(`${path}.x-kubernetes-embedded-resource`, 'must not be used inside of resource meta')]
      : []),
    ...(schema['x-kubernetes-embedded-resource']
      ? mustBeType(schema, path, 'object', 'x-kubernetes-embedded-resource is true')
      : []),
    ...checkMapType(schema, path),
    ...checkListType(schema, path),
  ];
}

function mustBeType({ type }: Schema, path: string, wanted: string, when: string): FieldError[] {
  if (type === wanted) return [];
  const why = `must be ${wanted} if ${when}`;
  return [type ? invalidField(`${path}.type`, type, why) : requiredField(`${path}.type`, why)];
}

function checkMapType(schema: Schema, path: string): FieldError[] {
  const mapType: string | undefined = schema['x-kubernetes-map-type'];
  if (mapType === undefined) return [];
  return [
    ...mustBeType(schema, path, 'object', 'x-kubernetes-map-type is specified'),
    ...(mapType === 'atomic' || mapType === 'granular'
      ? []
      : [unsupportedField(`${path}.x-kubernetes-map-type`, mapType, ['atomic', 'granular'])]),
  ];
}

const listTypes = ['atomic', 'map', 'set'];

function checkListType(schema: Schema, path: string): FieldError[] {
  const listType: string | undefined = schema['x-kubernetes-list-type'];
  const at = `${path}.x-kubernetes-list-type`;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const needless = 'must be map if x-kubernetes-list-map-keys is non-empty';
  if (listType === undefined) return keys.length > 0 ? [requiredField(at, needless)] : [];
  return [
    ...mustBeType(schema, path, 'array', 'x-kubernetes-list-type is specified'),
    ...(listType === 'set' ? checkSetItems(schema, path) : []),
    ...(listTypes.includes(listType) ? [] : [unsupportedField(at, listType, ['atomic', 'set', 'map'])]),
    ...(listType !== 'map' && keys.length > 0 ? [invalidField(at, listType, needless)] : []),
    ...(listType === 'map' ? checkMapItems(schema, keys, path) : []),
    ...(schema.items?.nullable && listType !== 'atomic'
      ? [forbiddenField(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`)]
      : []),
  ];
}

/** Elements of a set are told apart as a whole. */
function checkSetItems({ items }: Schema, path: string): FieldError[] {
  const why = 'must be atomic as item of a list with x-kubernetes-list-type=set';
  const inner = items?.['x-kubernetes-list-type'];
  if (items?.type === 'array' && inner !== undefined && inner !== 'atomic')
    return [invalidField(`${path}.items.x-kubernetes-list-type`, inner, why)];
  return items?.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic'
    ? [invalidField(`${path}.items.x-kubernetes-map-type`, items['x-kubernetes-map-type'] ?? 'null', why)]
    : [];
}

function checkMapItems({ items }: Schema, keys: readonly string[], path: string): FieldError[] {
  const at = `${path}.x-kubernetes-list-map-keys`;
  const isMap = "if parent array's x-kubernetes-list-type is map";
  return [
    ...(keys.length === 0 ? [requiredField(at, 'must not be empty if x-kubernetes-list-type is map')] : []),
    ...(items ? [] : [requiredField(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map')]),
    ...(items && items.type !== 'object'
      ? [invalidField(`${path}.items.type`, items.type ?? '', `must be object ${isMap}`)]
      : []),
    ...(items?.type === 'object'
      ? keys.flatMap((key, index) => [
          ...checkMapKey(key, keys, items, path),
          ...(keys.indexOf(key) < index ? [invalidField(at, keys, 'must not contain duplicate entries')] : []),
        ])
      : []),
  ];
}

function checkMapKey(key: string, keys: readonly string[], items: Schema, path: string): FieldError[] {
  const field = items.properties && Object.hasOwn(items.properties, key) ? items.properties[key] : undefined;
  const at = `${path}.items.properties[${key}]`;
  if (!field)
    return [invalidField(`${path}.x-kubernetes-list-map-keys`, keys, 'entries must all be names of item properties')];
  const named = 'this property is in x-kubernetes-list-map-keys, so it';
  return [
    ...(field.type === 'array' || field.type === 'object'
      ? [invalidField(`${at}.type`, 'object', "must be a scalar type if parent array's x-kubernetes-list-type is map")]
      : []),
    ...(items.required?.includes(key) || field.default !== undefined
      ? []
      : [requiredField(`${at}.default`, `${named} must have a default or be a required property`)]),
    ...(field.nullable ? [forbiddenField(`${at}.nullable`, `${named} cannot be nullable`)] : []),
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
    ...(unknown.length > 0 ? [invalidField(`${path}.default`, schema.default, 'must not have unknown fields')] : []),
    // The value is named by its place within the default, which at its top has no name.
    ...validateValue(schema.default, schema).map((error) => ({
      ...error,
      field: error.field && error.field !== '<nil>' ? `${path}.default.${error.field}` : `${path}.default`,
    })),
  ];
}

const metaFields = new Set(['metadata', 'kind', 'apiVersion']);

function checkChildren(
  schema: Schema,
  path: string,
  position: Position,
  depth: number,
  inMetadata: boolean,
): FieldError[] {
  const extra = schema.additionalProperties;
  const isResource = position === 'root' || schema['x-kubernetes-embedded-resource'] === true;
  return [
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
      const at = `${path}.properties[${name}]`;
      const isMeta = isResource && metaFields.has(name);
      return [
        ...(isMeta && position === 'root' && field.default !== undefined
          ? [forbiddenField(`${at}.default`, `must not be set in top-level ${name}`)]
          : []),
        ...checkNode(field, at, 'field', depth + 1, inMetadata || isMeta),
      ];
    }),
    ...(schema.items && !Array.isArray(schema.items)
      ? checkNode(schema.items, `${path}.items`, 'items', depth + 1, inMetadata)
      : []),
    ...(typeof extra === 'object'
      ? checkNode(extra, `${path}.additionalProperties`, 'additionalProperties', depth + 1, inMetadata)
      : []),
  ];
}

const combinations = ({ allOf = [], anyOf = [], oneOf = [], not }: Schema, path: string): [Schema, string][] => [
  ...allOf.map((part, at): [Schema, string] => [part, `${path}.allOf[${at}]`]),
  ...anyOf.map((part, at): [Schema, string] => [part, `${path}.anyOf[${at}]`]),
  ...oneOf.map((part, at): [Schema, string] => [part, `${path}.oneOf[${at}]`]),
  ...(not ? [[not, `${path}.not`] as [Schema, string]] : []),
];

/** What belongs to the structure, and what else it would have to be. */
const structuralOnly = {
  type: 'empty',
  additionalProperties: 'undefined',
  default: 'undefined',
  title: 'empty',
  description: 'empty',
  nullable: 'false',
  'x-kubernetes-preserve-unknown-fields': 'false',
  'x-kubernetes-embedded-resource': 'false',
  'x-kubernetes-int-or-string': 'false',
  'x-kubernetes-list-map-keys': 'empty',
  'x-kubernetes-list-type': 'undefined',
  'x-kubernetes-map-type': 'undefined',
  'x-kubernetes-validations': 'empty',
} as const satisfies Partial<Record<keyof Schema, string>>;

/** Inside allOf, anyOf, oneOf and not there are only limits, on fields that the structure outside has. */
function checkValidation(part: Schema, structure: Schema, path: string, depth: number): FieldError[] {
  if (depth > maxDepth) return [forbiddenField(path, 'is nested too deeply')];
  const isIntOrString = structure['x-kubernetes-int-or-string'] && (part.type === 'integer' || part.type === 'string');
  const misplaced = Object.entries(structuralOnly).filter(
    ([keyword]) => part[keyword as keyof typeof structuralOnly] !== undefined && !(keyword === 'type' && isIntOrString),
  );
  return [
    ...misplaced.map(([keyword, be]) => forbiddenField(`${path}.${keyword}`, `must be ${be} to be structural`)),
    ...(part.properties && Object.hasOwn(part.properties, 'metadata')
      ? [forbiddenField(`${path}.properties[metadata]`, 'must not be specified in a nested context')]
      : []),
    ...checkPattern(part, path),
    ...Object.entries(part.properties ?? {}).flatMap(([name, field]) => {
      const counterpart =
        structure.properties?.[name] ??
        (typeof structure.additionalProperties === 'object' ? structure.additionalProperties : undefined);
      if (Object.keys(field).length === 0) return [];
      return counterpart
        ? checkValidation(field, counterpart, `${path}.properties[${name}]`, depth + 1)
        : [requiredField(`${path}.properties[${name}]`, `because it is defined in ${path}`)];
    }),
    ...(part.items && structure.items ? checkValidation(part.items, structure.items, `${path}.items`, depth + 1) : []),
    ...combinations(part, path).flatMap(([nested, at]) => checkValidation(nested, structure, at, depth + 1)),
  ];
}
