// Checks of metadata, the same for every kind, built in or custom.
import {
  asPrefix,
  checkDns1123Label,
  checkQualifiedName,
  forbiddenField,
  invalidField,
  requiredField,
  tooLongField,
} from '../k8s/index.ts';
import type { FieldError, ObjectMeta, OwnerReference } from '../k8s/index.ts';
import { checkImmutable, checkLabels } from './checks.ts';

export interface MetadataRules {
  readonly namespaced: boolean;
  readonly checkName: (name: string) => string[];
}

const maxAnnotationBytes = 256 * 1024;

export function checkMetadata(metadata: ObjectMeta, rules: MetadataRules): FieldError[] {
  return [...checkNames(metadata, rules), ...checkCommon(metadata)];
}

function checkNames({ name, generateName, namespace }: ObjectMeta, rules: MetadataRules): FieldError[] {
  const errors: FieldError[] = [];
  if (generateName) {
    const problems = asPrefix(rules.checkName)(generateName);
    errors.push(...problems.map((sentence) => invalidField('metadata.generateName', generateName, sentence)));
  }
  if (!name) errors.push(requiredField('metadata.name', 'name or generateName is required'));
  else errors.push(...rules.checkName(name).map((sentence) => invalidField('metadata.name', name, sentence)));
  if (!rules.namespaced) {
    if (namespace) errors.push(forbiddenField('metadata.namespace', 'not allowed on this type'));
  } else if (!namespace) {
    errors.push(requiredField('metadata.namespace'));
  } else {
    errors.push(
      ...checkDns1123Label(namespace).map((sentence) => invalidField('metadata.namespace', namespace, sentence)),
    );
  }
  return errors;
}

function checkCommon(metadata: ObjectMeta): FieldError[] {
  return [
    ...checkLabels(metadata.labels, 'metadata.labels'),
    ...checkAnnotations(metadata.annotations, 'metadata.annotations'),
    ...checkOwners(metadata.ownerReferences ?? []),
    ...checkFinalizers(metadata.finalizers ?? []),
  ];
}

export function checkAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: string,
): FieldError[] {
  const entries = Object.entries(annotations ?? {});
  // Keys may be upper case where labels may not.
  const keyErrors = entries.flatMap(([key]) =>
    checkQualifiedName(key.toLowerCase()).map((sentence) => invalidField(path, key, sentence)),
  );
  const encoder = new TextEncoder();
  const bytes = entries.reduce((sum, [key, value]) => sum + encoder.encode(key + value).length, 0);
  return [...keyErrors, ...(bytes > maxAnnotationBytes ? [tooLongField(path, maxAnnotationBytes)] : [])];
}

function checkOwners(owners: readonly OwnerReference[]): FieldError[] {
  const path = 'metadata.ownerReferences';
  const errors = owners.flatMap((owner, at) =>
    (['apiVersion', 'kind', 'name', 'uid'] as const)
      .filter((field) => !owner[field])
      .map((field) =>
        invalidField(
          `${path}[${at}].${field}`,
          owner[field] ?? '',
          `${field === 'apiVersion' ? 'version' : field} must not be empty`,
        ),
      ),
  );
  const controllers = owners.filter(({ controller }) => controller);
  if (controllers.length > 1) {
    const [a, b] = controllers.map(({ kind, name }) => `${kind}/${name}`);
    errors.push(
      invalidField(
        path,
        owners,
        `Only one reference can have Controller set to true. Found "true" in references for ${a} and ${b}`,
      ),
    );
  }
  return errors;
}

const orphan = 'orphan';
const foreground = 'foregroundDeletion';

function checkFinalizers(finalizers: readonly string[]): FieldError[] {
  const path = 'metadata.finalizers';
  return [
    ...finalizers.flatMap((name) => checkQualifiedName(name).map((sentence) => invalidField(path, name, sentence))),
    ...(finalizers.includes(orphan) && finalizers.includes(foreground)
      ? [invalidField(path, finalizers, `finalizer ${orphan} and ${foreground} cannot be both set`)]
      : []),
  ];
}

/** `metadata` has what only the server sets carried over from `old` where the client left it out. */
export function checkMetadataUpdate(metadata: ObjectMeta, old: ObjectMeta): FieldError[] {
  const kept = [
    'name',
    'namespace',
    'uid',
    'creationTimestamp',
    'deletionTimestamp',
    'deletionGracePeriodSeconds',
  ] as const;
  return [
    ...checkNewFinalizers(metadata, old),
    ...kept.flatMap((field) => checkImmutable(metadata[field], old[field], `metadata.${field}`)),
    ...checkCommon(metadata),
  ];
}

function checkNewFinalizers(metadata: ObjectMeta, old: ObjectMeta): FieldError[] {
  const added = (metadata.finalizers ?? []).filter((name) => !old.finalizers?.includes(name));
  return old.deletionTimestamp !== undefined && added.length > 0
    ? [
        forbiddenField(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`,
        ),
      ]
    : [];
}
