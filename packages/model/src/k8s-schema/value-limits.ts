// The limits that a schema puts on one value: ranges, lengths, patterns, formats, enumerations.
import { invalidField, tooLongField, tooManyItems, unsupportedField, wrongType } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { isObject, jsonEqual } from '../k8s-patch/index.ts';
import { matchesFormat } from './formats.ts';
import { compilePattern } from './pattern.ts';
import type { Schema } from './schema.ts';

/** The field errors of the value itself; its parts are checked by the walker. */
export function checkLimits(value: unknown, schema: Schema, path: string): FieldError[] {
  return [...checkEnum(value, schema, path), ...checkByType(value, schema, path)];
}

function checkEnum(value: unknown, schema: Schema, path: string): FieldError[] {
  if (!schema.enum || schema.enum.some((allowed) => jsonEqual(allowed, value))) return [];
  return [unsupportedField(path, value, schema.enum)];
}

function checkByType(value: unknown, schema: Schema, path: string): FieldError[] {
  if (typeof value === 'number') return checkNumber(value, schema, path);
  if (typeof value === 'string') return checkString(value, schema, path);
  if (Array.isArray(value)) return checkCount(value.length, schema, path, listWords);
  return isObject(value) ? checkCount(Object.keys(value).length, schema, path, objectWords) : [];
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

function checkString(value: string, schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const length = [...value].length;
  if (schema.maxLength !== undefined && length > schema.maxLength) errors.push(tooLongField(path, schema.maxLength));
  if (schema.minLength !== undefined && length < schema.minLength) {
    errors.push(invalidField(path, value, inBody(path, `should be at least ${schema.minLength} chars long`)));
  }
  if (schema.pattern !== undefined && !(compilePattern(schema.pattern)?.test(value) ?? false)) {
    errors.push(invalidField(path, value, inBody(path, `should match '${schema.pattern}'`)));
  }
  if (schema.format !== undefined && !matchesFormat(schema.format, value)) {
    errors.push(wrongType(path, value, inBody(path, `must be of type ${schema.format}: ${JSON.stringify(value)}`)));
  }
  return errors;
}

const listWords = { min: 'minItems', max: 'maxItems', what: 'items' } as const;
const objectWords = { min: 'minProperties', max: 'maxProperties', what: 'properties' } as const;

function checkCount(
  count: number,
  schema: Schema,
  path: string,
  words: typeof listWords | typeof objectWords,
): FieldError[] {
  const [min, max] = [schema[words.min], schema[words.max]];
  const few = min !== undefined && count < min;
  return [
    ...(max !== undefined && count > max ? [tooManyItems(path, count, max)] : []),
    ...(few ? [invalidField(path, count, inBody(path, `should have at least ${min} ${words.what}`))] : []),
  ];
}

export const inBody = (path: string, problem: string): string => `${path} in body ${problem}`;
