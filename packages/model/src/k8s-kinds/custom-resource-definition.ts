// CustomResourceDefinitions: names, versions, and schemas that are structural.
import {
  checkDns1035Label,
  checkDns1123Subdomain,
  forbiddenField,
  invalidField,
  isStatus,
  requiredField,
  tooManyItems,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { checkStructuralSchema } from '../k8s-schema/index.ts';
import type { Schema } from '../k8s-schema/index.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from '../k8s-types/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import { checkChoice, checkImmutable, checkRequiredName, repeated } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { checkClientConfig, defaultClientConfig } from './webhook-configuration.ts';

export const customResourceDefinitionRules = createRules<CustomResourceDefinition>({
  defaults: (crd) => ({ ...crd, spec: defaultSpec(crd.spec) }),
  prepareCreate: (crd) => ({
    ...crd,
    status: {
      conditions: [],
      acceptedNames: { kind: '', plural: '' },
      // Admission has decided about names by now.
      ...crd.status,
      storedVersions: crd.spec.versions.filter(({ storage }) => storage).map(({ name }) => name),
    },
  }),
  validate: (crd) => [...checkName(crd), ...checkSpec(crd.spec), ...checkApproval(crd)],
  validateUpdate: ({ spec }, { spec: old, status }) => [
    ...checkImmutable(spec.group, old.group, 'spec.group'),
    ...checkImmutable(spec.names.plural, old.names.plural, 'spec.names.plural'),
    // Objects may exist once the names have been accepted.
    ...(status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True')
      ? [
          ...checkImmutable(spec.scope, old.scope, 'spec.scope'),
          ...checkImmutable(spec.names.kind, old.names.kind, 'spec.names.kind'),
        ]
      : []),
    ...checkStoredVersions(spec, status?.storedVersions ?? []),
  ],
});

function defaultSpec(spec: CustomResourceDefinitionSpec | undefined): CustomResourceDefinitionSpec {
  const names = { ...spec?.names, kind: spec?.names?.kind ?? '', plural: spec?.names?.plural ?? '' };
  return {
    group: '',
    scope: '',
    ...spec,
    versions: spec?.versions ?? [],
    conversion: defaultConversion(spec?.conversion),
    names: {
      ...names,
      singular: names.singular || names.kind.toLowerCase(),
      listKind: names.listKind || `${names.kind}List`,
    },
  };
}

function defaultConversion(conversion: CustomResourceDefinitionSpec['conversion']) {
  const { webhook } = conversion ?? {};
  if (!webhook?.clientConfig) return conversion ?? { strategy: 'None' };
  return { ...conversion!, webhook: { ...webhook, clientConfig: defaultClientConfig(webhook.clientConfig) } };
}

const approvalNote = 'api-approved.kubernetes.io';
const approvalHelp = 'see https://github.com/kubernetes/enhancements/pull/1111';

/** Groups of the community take an annotation that says where their API was agreed on. */
function checkApproval({ metadata, spec }: CustomResourceDefinition): FieldError[] {
  if (!/(?:^|\.)(?:k8s|kubernetes)\.io$/.test(spec.group)) return [];
  const note = metadata.annotations?.[approvalNote];
  const at = `metadata.annotations[${approvalNote}]`;
  const must = `protected groups must have approval annotation "${approvalNote}"`;
  if (!note) return [requiredField(at, `${must}, ${approvalHelp}`)];
  return note.startsWith('unapproved') || /^[a-z][a-z0-9+.-]*:\/\/[^/\s]+/i.test(note)
    ? []
    : [invalidField(at, note, `${must} with either a URL or a reason starting with "unapproved", ${approvalHelp}`)];
}

function checkName({ metadata, spec }: CustomResourceDefinition): FieldError[] {
  return metadata.name === `${spec.names.plural}.${spec.group}`
    ? []
    : [invalidField('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group')];
}

function checkSpec(spec: CustomResourceDefinitionSpec): FieldError[] {
  const { names, versions } = spec;
  return [
    ...checkGroup(spec.group),
    ...checkChoice(spec.scope, ['Cluster', 'Namespaced'], 'spec.scope'),
    ...checkRequiredName(names.plural, checkDns1035Label, 'spec.names.plural'),
    ...checkRequiredName(names.singular, checkDns1035Label, 'spec.names.singular'),
    ...checkRequiredName(names.kind.toLowerCase(), checkDns1035Label, 'spec.names.kind'),
    ...checkRequiredName(names.listKind?.toLowerCase(), checkDns1035Label, 'spec.names.listKind'),
    ...(names.kind !== '' && names.kind === names.listKind
      ? [invalidField('spec.names.listKind', names.listKind, 'kind and listKind may not be the same')]
      : []),
    ...(names.shortNames ?? []).flatMap((name, at) =>
      checkDns1035Label(name).map((sentence) => invalidField(`spec.names.shortNames[${at}]`, name, sentence)),
    ),
    ...(names.categories ?? []).flatMap((name, at) =>
      checkDns1035Label(name).map((sentence) => invalidField(`spec.names.categories[${at}]`, name, sentence)),
    ),
    ...checkVersions(versions),
    ...versions.flatMap((version, at) => checkVersion(version, spec, `spec.versions[${at}]`)),
    ...checkConversion(spec.conversion, 'spec.conversion'),
  ];
}

function checkConversion(conversion: CustomResourceDefinitionSpec['conversion'], path: string): FieldError[] {
  const { strategy, webhook } = conversion ?? {};
  const errors = checkChoice(strategy, ['None', 'Webhook'], `${path}.strategy`);
  const at = `${path}.webhookClientConfig`;
  const versionsAt = `${path}.conversionReviewVersions`;
  if (strategy !== 'Webhook') {
    const why = 'should not be set when strategy is not set to Webhook';
    if (webhook?.clientConfig) errors.push(forbiddenField(at, why));
    if (webhook?.conversionReviewVersions?.length) errors.push(forbiddenField(versionsAt, why));
    return errors;
  }
  if (!webhook?.clientConfig) errors.push(requiredField(at, 'required when strategy is set to Webhook'));
  else errors.push(...checkClientConfig(webhook.clientConfig, at));
  return [...errors, ...checkReviewVersions(webhook?.conversionReviewVersions ?? [], versionsAt)];
}

function checkReviewVersions(versions: readonly string[], path: string): FieldError[] {
  if (versions.length === 0) return [requiredField(path)];
  return [
    ...versions.flatMap((version, at) =>
      versions.indexOf(version) < at
        ? [invalidField(`${path}[${at}]`, version, 'duplicate version')]
        : checkDns1035Label(version).map((sentence) => invalidField(`${path}[${at}]`, version, sentence)),
    ),
    ...(versions.some((version) => version === 'v1' || version === 'v1beta1')
      ? []
      : [invalidField(path, versions, 'must include at least one of v1, v1beta1')]),
  ];
}

function checkGroup(group: string): FieldError[] {
  if (!group) return [requiredField('spec.group')];
  if (group.split('.').length < 2)
    return [invalidField('spec.group', group, 'should be a domain with at least one dot')];
  return checkRequiredName(group, checkDns1123Subdomain, 'spec.group');
}

function checkVersions(versions: readonly CustomResourceDefinitionVersion[]): FieldError[] {
  const path = 'spec.versions';
  const stored = versions.filter(({ storage }) => storage);
  if (repeated(versions, ({ name }) => name).length > 0) {
    return [
      invalidField(
        path,
        versions.map(({ name }) => name),
        'must contain unique version names',
      ),
    ];
  }
  return stored.length === 1
    ? []
    : [
        invalidField(
          path,
          versions.map(({ name }) => name),
          'must have exactly one version marked as storage version',
        ),
      ];
}

function checkVersion(
  version: CustomResourceDefinitionVersion,
  spec: CustomResourceDefinitionSpec,
  path: string,
): FieldError[] {
  const schema = version.schema?.openAPIV3Schema as Schema | undefined;
  const at = (field: SharedField): string | undefined => versionPath(spec.versions, version, field);
  const [schemaAt, partsAt, columnsAt, selectableAt] = [
    at('schema'),
    at('subresources'),
    at('additionalPrinterColumns'),
    at('selectableFields'),
  ];
  return [
    ...checkRequiredName(version.name, checkDns1035Label, `${path}.name`),
    ...(schema ? [] : [requiredField(`${path}.schema.openAPIV3Schema`, 'schemas are required')]),
    ...(schema && schemaAt ? checkSchema(schema, version, spec, `${schemaAt}.openAPIV3Schema`) : []),
    ...(partsAt ? checkScale(version, partsAt) : []),
    ...checkDeprecation(version, `${path}.deprecationWarning`),
    ...(columnsAt
      ? (version.additionalPrinterColumns ?? []).flatMap((column, index) =>
          checkColumn(column, `${columnsAt}[${index}]`),
        )
      : []),
    ...(selectableAt ? checkSelectableFields(version, selectableAt) : []),
  ];
}

type SharedField = 'additionalPrinterColumns' | 'schema' | 'selectableFields' | 'subresources';

/**
 * Where a field of a version is named in errors: what all versions have in common belongs to the definition as a whole,
 * and is told once; undefined: it has been told of an earlier version.
 */
export function versionPath(
  versions: readonly CustomResourceDefinitionVersion[],
  version: CustomResourceDefinitionVersion,
  field: SharedField,
): string | undefined {
  const [first] = versions;
  if (!versions.every((other) => jsonEqual(other[field], first?.[field])))
    return `spec.versions[${versions.indexOf(version)}].${field}`;
  return version === first ? `spec.${field === 'schema' ? 'validation' : field}` : undefined;
}

function checkDeprecation(
  { deprecated, deprecationWarning: text }: CustomResourceDefinitionVersion,
  path: string,
): FieldError[] {
  if (text === undefined) return [];
  if (!deprecated) return [invalidField(path, text, 'can only be set for deprecated versions')];
  return [
    ...(text.length > 256 ? [invalidField(path, text, 'must be <= 256 characters long')] : []),
    ...(text === '' ? [invalidField(path, text, 'must not be an empty string')] : []),
    ...(/[\p{Cc}\n]/u.test(text) ? [invalidField(path, text, 'must only contain printable UTF-8 characters')] : []),
  ];
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

function checkColumn({ name, type, format, jsonPath: at }: CustomResourceColumnDefinition, path: string): FieldError[] {
  return [
    ...(name ? [] : [requiredField(`${path}.name`)]),
    ...(type
      ? columnTypes.includes(type)
        ? []
        : [invalidField(`${path}.type`, type, `must be one of ${columnTypes.join(',')}`)]
      : [requiredField(`${path}.type`, `must be one of ${columnTypes.join(',')}`)]),
    ...(format && !columnFormats.includes(format)
      ? [invalidField(`${path}.format`, format, `must be one of ${columnFormats.join(',')}`)]
      : []),
    ...(at ? checkSimplePath(at, `${path}.JSONPath`) : [requiredField(`${path}.JSONPath`)]),
  ];
}

const checkSimplePath = (text: string, path: string): FieldError[] =>
  text.startsWith('.') ? [] : [invalidField(path, text, 'must be a simple json path starting with .')];

const maxSelectable = 8;

function checkSelectableFields(version: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const fields = version.selectableFields ?? [];
  const schema = version.schema?.openAPIV3Schema as Schema | undefined;
  return [
    ...(fields.length > maxSelectable ? [tooManyItems(path, fields.length, maxSelectable)] : []),
    ...fields.flatMap(({ jsonPath: at }, index) => {
      const here = `${path}[${index}].jsonPath`;
      if (!at) return [requiredField(here)];
      if (fields.findIndex((other) => other.jsonPath === at) < index)
        return [{ reason: 'FieldValueDuplicate' as const, field: here, message: `Duplicate value: "${at}"` }];
      if (!jsonPath.test(at)) return [invalidField(here, at, 'is an invalid path: must be a simple json path')];
      if (at.startsWith('.metadata')) return [invalidField(here, at, 'must not point to fields in metadata')];
      return checkSelectable(schema, at, here);
    }),
  ];
}

/** Only texts, integers and booleans outside of lists can be selected by. */
function checkSelectable(schema: Schema | undefined, at: string, path: string): FieldError[] {
  let node = schema;
  for (const name of at.slice(1).split('.')) {
    node = node?.properties && Object.hasOwn(node.properties, name) ? node.properties[name] : undefined;
    if (!node) return [invalidField(path, at, 'is an invalid path: does not refer to a valid field')];
  }
  return node?.type === 'string' || node?.type === 'integer' || node?.type === 'boolean'
    ? []
    : [
        invalidField(
          path,
          at,
          'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
        ),
      ];
}

/** The old way of keeping unknown fields is refused at the root, where the rest of the schema is looked at. */
function checkSchema(
  schema: Schema,
  { subresources }: CustomResourceDefinitionVersion,
  spec: CustomResourceDefinitionSpec,
  path: string,
): FieldError[] {
  if (spec.preserveUnknownFields) {
    return [
      invalidField(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    ];
  }
  try {
    return [...(subresources?.status ? checkStatusRoot(schema, path) : []), ...checkStructuralSchema(schema, path)];
  } catch (error) {
    // Parts of a schema are free-form when read, so a schema may be no schema at all.
    if (error instanceof TypeError || isStatus(error)) return [invalidField(path, schema, 'is not a JSON schema')];
    throw error;
  }
}

const withStatus =
  'Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations';
const allowedWithStatus = new Set(
  withStatus
    .split(' ')
    .map((name) => (name.startsWith('X') ? name : name.charAt(0).toLowerCase() + name.slice(1)))
    .concat('x-kubernetes-preserve-unknown-fields', 'x-kubernetes-validations'),
);

/** The status is checked by itself, so nothing at the root may speak about both. */
function checkStatusRoot(schema: Schema, path: string): FieldError[] {
  const others = Object.keys(schema).some((keyword) => !allowedWithStatus.has(keyword));
  const why = `only [${withStatus}] fields are allowed at the root of the schema if the status subresource is enabled`;
  return others ? [invalidField(path, schema, why)] : [];
}

const jsonPath = /^(?:\.[A-Za-z0-9_-]+)+$/;

function checkScale({ subresources }: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const scale = subresources?.scale;
  if (!scale) return [];
  const at = `${path}.scale`;
  return [
    ...checkPathIn(scale.specReplicasPath, '.spec.', `${at}.specReplicasPath`),
    ...checkPathIn(scale.statusReplicasPath, '.status.', `${at}.statusReplicasPath`),
    ...checkSelectorPath(scale.labelSelectorPath, `${at}.labelSelectorPath`),
  ];
}

function checkPathIn(text: string | undefined, below: string, path: string): FieldError[] {
  if (!text) return [requiredField(path)];
  if (!text.startsWith('.')) return [invalidField(path, text, 'must be a simple json path starting with .')];
  return text.startsWith(below) ? [] : [invalidField(path, text, `should be a json path under ${below.slice(0, -1)}`)];
}

function checkSelectorPath(text: string | undefined, path: string): FieldError[] {
  if (!text) return [];
  if (!text.startsWith('.')) return [invalidField(path, text, 'must be a simple json path starting with .')];
  return text.startsWith('.spec.') || text.startsWith('.status.')
    ? []
    : [invalidField(path, text, 'should be a json path under either .spec or .status')];
}

function checkStoredVersions(spec: CustomResourceDefinitionSpec, stored: readonly string[]): FieldError[] {
  const missing = stored.filter((name) => !spec.versions.some((version) => version.name === name));
  return missing.map((name) =>
    invalidField(
      `status.storedVersions[${stored.indexOf(name)}]`,
      name,
      'missing from spec.versions; stored versions must be in spec.versions',
    ),
  );
}
