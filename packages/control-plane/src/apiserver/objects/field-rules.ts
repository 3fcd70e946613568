// Fields against the schema: what is unknown or given twice is reported as the client asked, what is missing gets its
// default, what is wrong is refused.
import type { Call, WriteOptions } from '@kedge/engine/kube-api';
import { fail, type FieldError, type KubeObject } from '@kedge/model/k8s';
import { applySchemaDefaults, pruneUnknown, readBuiltin, validateValue } from '@kedge/model/k8s-schema';
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

export function withDefaults(kind: Kind, object: KubeObject): KubeObject {
  return kind.schema && kind.isCustom ? applySchemaDefaults(object, kind.schema) : object;
}

export const fieldErrors = (kind: Kind, object: KubeObject): readonly FieldError[] =>
  kind.schema && kind.isCustom ? validateValue(object, kind.schema) : [];
