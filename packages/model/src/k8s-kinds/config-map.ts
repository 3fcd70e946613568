// ConfigMaps.
import { checkConfigMapKey, forbiddenField, invalidField, tooLongField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import type { ConfigMap } from '../k8s-types/index.ts';
import { base64Length } from './base64.ts';
import { createRules } from './kind-rules.ts';

/** The most that the values of a ConfigMap or a Secret may add up to, in bytes. */
export const maxDataBytes = 1024 * 1024;

export const configMapRules = createRules<ConfigMap>({
  validate: checkContent,
  validateUpdate: (configMap, old) => checkSealed(configMap, old, ['data', 'binaryData']),
});

function checkContent({ data = {}, binaryData = {} }: ConfigMap): FieldError[] {
  const encoder = new TextEncoder();
  const bytes =
    Object.values(data).reduce((sum, text) => sum + encoder.encode(text).length, 0) +
    Object.values(binaryData).reduce((sum, text) => sum + base64Length(text), 0);
  return [
    ...checkKeys(data, 'data'),
    ...Object.keys(data)
      .filter((key) => Object.hasOwn(binaryData, key))
      .map((key) => invalidField(`data[${key}]`, key, 'duplicate of key present in binaryData')),
    ...checkKeys(binaryData, 'binaryData'),
    ...(bytes > maxDataBytes ? [tooLongField('', maxDataBytes)] : []),
  ];
}

export const checkKeys = (data: Readonly<Record<string, string>>, path: string): FieldError[] =>
  Object.keys(data).flatMap((key) =>
    checkConfigMapKey(key).map((sentence) => invalidField(`${path}[${key}]`, key, sentence)),
  );

/** What has been declared immutable stays so, and keeps its content. */
export function checkSealed<T extends { readonly immutable?: boolean }>(
  object: T,
  old: T,
  fields: readonly (keyof T & string)[],
): FieldError[] {
  if (!old.immutable) return [];
  const sentence = 'field is immutable when `immutable` is set';
  return [
    ...(object.immutable ? [] : [forbiddenField('immutable', sentence)]),
    ...fields
      .filter((field) => !jsonEqual(object[field] ?? {}, old[field] ?? {}))
      .map((field) => forbiddenField(field, sentence)),
  ];
}
