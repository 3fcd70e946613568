// CustomResourceDefinitions: names, versions, and schemas that are structural.
import { checkDns1035Label, checkDns1123Subdomain, invalidField, isStatus, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { checkStructuralSchema } from '../k8s-schema/index.ts';
import type { Schema } from '../k8s-schema/index.ts';
import type {
  CustomResourceDefinition,
  CustomResourceDefinitionSpec,
  CustomResourceDefinitionVersion,
} from '../k8s-types/index.ts';
import { checkChoice, checkImmutable, checkRequiredName, repeated } from './checks.ts';
import { createRules } from './kind-rules.ts';

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
  validate: (crd) => [...checkName(crd), ...checkSpec(crd.spec)],
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
    conversion: spec?.conversion ?? { strategy: 'None' },
    names: {
      ...names,
      singular: names.singular || names.kind.toLowerCase(),
      listKind: names.listKind || `${names.kind}List`,
    },
  };
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
    ...checkVersions(versions),
    ...versions.flatMap((version, at) => checkVersion(version, spec, `spec.versions[${at}]`)),
    ...checkChoice(spec.conversion?.strategy, ['None', 'Webhook'], 'spec.conversion.strategy'),
    ...(spec.conversion?.strategy === 'Webhook' && !spec.conversion.webhook?.clientConfig
      ? [requiredField('spec.conversion.webhookClientConfig', 'required when strategy is set to Webhook')]
      : []),
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
  const schemaPath = `${path}.schema.openAPIV3Schema`;
  const schema = version.schema?.openAPIV3Schema as Schema | undefined;
  return [
    ...checkRequiredName(version.name, checkDns1035Label, `${path}.name`),
    ...(schema ? checkSchema(schema, spec, schemaPath) : [requiredField(schemaPath, 'schemas are required')]),
    ...checkScale(version, path),
  ];
}

/** The old way of keeping unknown fields is refused at the root, where the rest of the schema is looked at. */
function checkSchema(schema: Schema, spec: CustomResourceDefinitionSpec, path: string): FieldError[] {
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
    return checkStructuralSchema(schema, path);
  } catch (error) {
    // Parts of a schema are free-form when read, so a schema may be no schema at all.
    if (error instanceof TypeError || isStatus(error)) return [invalidField(path, schema, 'is not a JSON schema')];
    throw error;
  }
}

const jsonPath = /^(?:\.[A-Za-z0-9_-]+)+$/;

function checkScale({ subresources }: CustomResourceDefinitionVersion, path: string): FieldError[] {
  const scale = subresources?.scale;
  if (!scale) return [];
  const at = `${path}.subresources.scale`;
  return [
    ...checkPathIn(scale.specReplicasPath, '.spec.', `${at}.specReplicasPath`),
    ...checkPathIn(scale.statusReplicasPath, '.status.', `${at}.statusReplicasPath`),
  ];
}

function checkPathIn(text: string | undefined, below: string, path: string): FieldError[] {
  if (!text) return [requiredField(path)];
  if (!jsonPath.test(text)) return [invalidField(path, text, 'should be a simple json path under .spec or .status')];
  return text.startsWith(below) ? [] : [invalidField(path, text, `should be a json path under ${below.slice(0, -1)}`)];
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
