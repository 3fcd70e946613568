// The limits that a schema puts on one value: ranges, lengths, patterns, formats, enumerations.
import { invalidField, tooLongField, tooManyItems, unsupportedField, wrongType } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { isObject, jsonEqual } from '../k8s-patch/index.ts';
import { matchesFormat } from './formats.ts';
import { compilePattern } from './pattern.ts';
import type { Schema } from './schema.ts';

/** Adds the field errors of the value itself; its parts are checked by the walker. */
export function checkLimits(errors: FieldError[], value: unknown, schema: Schema, path: string): void {
  if (schema.enum && !schema.enum.some((allowed) => jsonEqual(allowed, value)))
    errors.push(unsupportedField(path, value, schema.enum));
  if (typeof value === 'number') errors.push(...checkNumber(value, schema, path));
  else if (typeof value === 'string') checkString(errors, value, schema, path);
  else if (Array.isArray(value)) checkCount(errors, value, schema, path, listWords);
  else if (isObject(value)) checkCount(errors, value, schema, path, objectWords);
}

function checkNumber(value: number, schema: Schema, path: string): FieldError[] {
  const { minimum, maximum, multipleOf } = schema;
  const problems: string[] = [];
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
    problems.push(`should be greater than ${schema.exclusiveMinimum ? '' : 'or equal to '}${minimum}`);
  }
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
    problems.push(`should be less than ${schema.exclusiveMaximum ? '' : 'or equal to '}${maximum}`);
  }
  if (multipleOf && !isMultiple(value, multipleOf)) problems.push(`should be a multiple of ${multipleOf}`);
  return problems.map((problem) => invalidField(path, value, inBody(path, problem)));
}

function isMultiple(value: number, factor: number): boolean {
  const ratio = value / factor;
  return Math.abs(ratio - Math.round(ratio)) < 1e-9;
}

/** In characters, not in the units that JavaScript counts in. */
const lengthOf = (value: string): number => [...value].length;

function checkString(errors: FieldError[], value: string, schema: Schema, path: string): void {
  if (schema.maxLength !== undefined && lengthOf(value) > schema.maxLength)
    errors.push(tooLongField(path, schema.maxLength));
  if (schema.minLength !== undefined && lengthOf(value) < schema.minLength) {
    errors.push(invalidField(path, value, inBody(path, `should be at least ${schema.minLength} chars long`)));
  }
  if (schema.pattern !== undefined && !(compilePattern(schema.pattern)?.test(value) ?? false)) {
    errors.push(invalidField(path, value, inBody(path, `should match '${schema.pattern}'`)));
  }
  if (schema.format !== undefined && !matchesFormat(schema.format, value)) {
    errors.push(wrongType(path, value, inBody(path, `must be of type ${schema.format}: ${JSON.stringify(value)}`)));
  }
}

const listWords = { min: 'minItems', max: 'maxItems', what: 'items' } as const;
const objectWords = { min: 'minProperties', max: 'maxProperties', what: 'properties' } as const;

function checkCount(
  errors: FieldError[],
  value: object,
  schema: Schema,
  path: string,
  words: typeof listWords | typeof objectWords,
): void {
  const min = schema[words.min];
  const max = schema[words.max];
  if (min === undefined && max === undefined) return;
  const count = Array.isArray(value) ? value.length : Object.keys(value).length;
  if (max !== undefined && count > max) errors.push(tooManyItems(path, count, max));
  if (min !== undefined && count < min)
    errors.push(invalidField(path, count, inBody(path, `should have at least ${min} ${words.what}`)));
}

export const inBody = (path: string, problem: string): string => `${path} in body ${problem}`;
