// Fields against the schema: what is unknown or given twice is reported as the client asked, what is missing gets its
// default, what is wrong is refused.
import type { Call, WriteOptions } from '@kedge/engine/kube-api';
import { fail, type FieldError, invalidField, type KubeObject } from '@kedge/model/k8s';
import { checkMetadata, checkMetadataUpdate } from '@kedge/model/k8s-kinds';
import { applySchemaDefaults, pruneUnknown, readBuiltin, validateValue } from '@kedge/model/k8s-schema';
import { checkEmbedded } from '../crds/embedded-resources.ts';
import type { Kind } from '../kinds/kind.ts';

/** The object as its kind knows it. Throws BadRequest for what cannot be read, and for unknown fields under Strict. */
export function readFields(kind: Kind, object: KubeObject, options: WriteOptions, call: Call): KubeObject {
  const { schema } = kind;
  if (!schema) return object;
  const { value, unknown } = kind.isCustom ? pruneUnknown(object, schema) : readBuiltin<KubeObject>(object, schema);
  const wrong = [
    ...options.duplicates.map((path) => `duplicate field "${path}"`),
    ...unknown.map((path) => `unknown field "${path}"`),
  ];
  if (options.fieldValidation === 'Warn') for (const sentence of wrong) call.warn(sentence);
  if (options.fieldValidation === 'Strict' && wrong.length > 0) {
    const { kind: name, version } = kind.served;
    throw fail(
      'BadRequest',
      `${name} in version "${version}" cannot be handled as a ${name}: strict decoding error: ${wrong.join(', ')}`,
    );
  }
  return value;
}

/** What the kind documents as defaults, filled in. */
export const withDefaults = (kind: Kind, object: KubeObject): KubeObject =>
  kind.rules.defaults(kind.schema && kind.isCustom ? applySchemaDefaults(object, kind.schema) : object);

/** With these, the rest of an object makes no sense to its rules. */
const blocking = new Set([
  'FieldValueRequired',
  'FieldValueNotSupported',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

export const keepsRulesUntold = (errors: readonly FieldError[]): boolean =>
  errors.some(({ reason }) => blocking.has(reason));

export const untoldRules: FieldError = invalidField(
  '<nil>',
  'null',
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
);

/** Everything that is wrong with a state by itself, and with how it differs from the one before. */
export function fieldErrors(kind: Kind, object: KubeObject, before: KubeObject | undefined): readonly FieldError[] {
  const { rules, served, schema } = kind;
  const metadata = before
    ? checkMetadataUpdate(object.metadata, before.metadata)
    : checkMetadata(object.metadata, { namespaced: served.namespaced, checkName: rules.checkName });
  const bySchema =
    schema && kind.isCustom ? [...validateValue(object, schema, '', before), ...checkEmbedded(object, schema)] : [];
  return [...metadata, ...bySchema, ...rules.validate(object), ...(before ? rules.validateUpdate(object, before) : [])];
}
