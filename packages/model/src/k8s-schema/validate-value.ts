// Checks a value against a schema and reports every problem as a field error in Kubernetes' words. Unknown fields are no
// problem here: pruning removes them.
import { duplicateField, invalidField, requiredField, wrongType } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { isObject, jsonEqual, jsonKey } from '../k8s-patch/index.ts';
import type { Schema } from './schema.ts';
import { checkLimits, inBody } from './value-limits.ts';

/** Beyond this many errors the rest is not worth computing, let alone sending. */
const maxErrors = 100;
const maxDepth = 200;

/**
 * The field errors of `value`; `path` is '' for a whole object. What is as it was in `old`, field by field and item by key,
 * is not looked at: a schema that got stricter must not stand in the way of a change elsewhere.
 */
export function validateValue(value: unknown, schema: Schema, path = '', old?: unknown): FieldError[] {
  const errors: FieldError[] = [];
  check(errors, value, schema, path, 0, old);
  return errors.slice(0, maxErrors);
}

/** Adds to `errors`: mostly there are none, and nothing is made for those. */
function check(errors: FieldError[], value: unknown, schema: Schema, path: string, depth: number, old: unknown): void {
  if (depth > maxDepth) return void errors.push(invalidField(path, '...', 'is nested too deeply'));
  if (value === null && schema.nullable) return;
  if (old !== undefined && jsonEqual(value, old)) return;
  const typeError = checkType(value, schema, path);
  if (typeError) return void errors.push(typeError);
  checkLimits(errors, value, schema, path);
  checkParts(errors, value, schema, path, depth, old);
  if (isCombined(schema)) errors.push(...checkCombinations(value, schema, path, depth));
}

const isCombined = ({ allOf, anyOf, oneOf, not }: Schema): boolean =>
  allOf !== undefined || anyOf !== undefined || oneOf !== undefined || not !== undefined;

function checkType(value: unknown, schema: Schema, path: string): FieldError | undefined {
  const actual = typeOf(value);
  if (schema['x-kubernetes-int-or-string']) {
    return actual === 'integer' || actual === 'string' ? undefined : typeError(path, 'integer,string', actual);
  }
  if (schema.type === undefined || schema.type === actual) return undefined;
  if (schema.type === 'number' && actual === 'integer') return undefined;
  return typeError(path, schema.type, actual);
}

const typeError = (path: string, wanted: string, actual: string): FieldError =>
  wrongType(path, actual, inBody(path, `must be of type ${wanted}: ${JSON.stringify(actual)}`));

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  return typeof value;
}

function checkParts(
  errors: FieldError[],
  value: unknown,
  schema: Schema,
  path: string,
  depth: number,
  old: unknown,
): void {
  if (Array.isArray(value)) {
    const { items } = schema;
    if (items) {
      const was = itemsByKey(schema, old);
      value.forEach((item, at) => check(errors, item, items, `${path}[${at}]`, depth + 1, was?.(item)));
    }
    errors.push(...checkDuplicates(value, schema, path));
    return;
  }
  if (!isObject(value)) return;
  for (const name of schema.required ?? [])
    if (!Object.hasOwn(value, name) || value[name] === undefined) errors.push(requiredField(childPath(path, name)));
  const { properties, additionalProperties: extra } = schema;
  for (const name of Object.keys(value)) {
    const known = properties && Object.hasOwn(properties, name) ? properties[name] : undefined;
    const field = known ?? (typeof extra === 'object' ? extra : undefined);
    if (!field) continue;
    const was = isObject(old) && Object.hasOwn(old, name) ? old[name] : undefined;
    check(errors, value[name], field, childPath(path, name), depth + 1, was);
  }
}

/** What an item of a list was; only lists whose items have keys can tell. */
function itemsByKey(schema: Schema, old: unknown): ((item: unknown) => unknown) | undefined {
  const identity = schema['x-kubernetes-list-type'] === 'map' ? identityOf(schema) : undefined;
  if (!identity || !Array.isArray(old)) return undefined;
  const was = new Map(old.map((item) => [jsonKey(identity(item)), item]));
  return (item) => was.get(jsonKey(identity(item)));
}

export const childPath = (path: string, name: string): string => (path === '' ? name : `${path}.${name}`);

function checkDuplicates(list: readonly unknown[], schema: Schema, path: string): FieldError[] {
  const identity = identityOf(schema);
  if (!identity) return [];
  const seen = new Set<string>();
  return list.flatMap((item, at) => {
    const id = identity(item);
    const key = jsonKey(id);
    if (seen.has(key)) return [duplicateField(`${path}[${at}]`, id)];
    seen.add(key);
    return [];
  });
}

function identityOf(schema: Schema): ((item: unknown) => unknown) | undefined {
  if (schema['x-kubernetes-list-type'] === 'set') return (item) => item;
  if (schema['x-kubernetes-list-type'] !== 'map') return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  return (item) =>
    Object.fromEntries(
      keys.map((key) => [key, (isObject(item) ? item[key] : undefined) ?? schema.items?.properties?.[key]?.default]),
    );
}

function checkCombinations(value: unknown, schema: Schema, path: string, depth: number): FieldError[] {
  const wrong = (option: Schema): FieldError[] => {
    const errors: FieldError[] = [];
    check(errors, value, option, path, depth + 1, undefined);
    return errors;
  };
  const tried = (options: readonly Schema[]): FieldError[][] => options.map(wrong);
  // Upstream tells these of the object as a whole, with the place in the sentence.
  const say = (problem: string): FieldError => invalidField('<nil>', '', `${JSON.stringify(path)} ${problem}`);
  const { allOf = [], anyOf = [], oneOf = [], not } = schema;
  const errors = allOf.flatMap(wrong);
  if (anyOf.length > 0) {
    const outcomes = tried(anyOf);
    if (!outcomes.some(isNone)) errors.push(say('must validate at least one schema (anyOf)'), ...nearest(outcomes));
  }
  if (oneOf.length > 0) {
    const outcomes = tried(oneOf);
    const valid = outcomes.filter(isNone).length;
    const found = valid === 0 ? 'Found none valid' : `Found ${valid} valid alternatives`;
    if (valid !== 1) errors.push(say(`must validate one and only one schema (oneOf). ${found}`));
    if (valid === 0) errors.push(...nearest(outcomes));
  }
  if (not && isNone(wrong(not))) errors.push(say('must not validate the schema (not)'));
  return errors;
}

const isNone = (errors: readonly FieldError[]): boolean => errors.length === 0;

/** What keeps the value from the option it is nearest to. */
const nearest = (outcomes: readonly FieldError[][]): FieldError[] =>
  outcomes.reduce((best, one) => (one.length < best.length ? one : best));
