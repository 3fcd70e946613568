// Evaluates the rules of a schema on an object and its state before. Parts of lists and maps are matched with what they
// were where the schema says how; rules that compare with the past are left out where there is none.
import type { FieldError } from '../k8s/index.ts';
import { forbiddenField } from '../k8s/index.ts';
import { isObject, jsonEqual, jsonKey } from '../k8s-patch/index.ts';
import type { Schema } from '../k8s-schema/index.ts';
import type { Cel } from './cel-environment.ts';
import type { Meter } from './meter.ts';
import { type CompiledRule, fieldPathOf, type NodeRules, type SchemaRules } from './schema-rules.ts';

const maxErrors = 100;
const maxMessage = 5_120;

interface Run {
  readonly cel: Cel;
  readonly rules: SchemaRules;
  readonly meter: Meter;
  readonly errors: FieldError[];
  stopped: boolean;
}

/** The field errors of `value`; `old` is undefined for something new. */
export function checkRules(
  cel: Cel,
  rules: SchemaRules,
  schema: Schema,
  value: unknown,
  old: unknown,
  meter: Meter,
): FieldError[] {
  const run: Run = { cel, rules, meter, errors: [], stopped: false };
  visit(run, schema, value, old, '');
  return run.errors.slice(0, maxErrors).map((error) => (error.field === '' ? { ...error, field: '<nil>' } : error));
}

function visit(run: Run, schema: Schema, value: unknown, old: unknown, path: string): void {
  if (run.stopped || value === undefined || value === null || run.errors.length >= maxErrors) return;
  const node = run.rules.get(schema);
  if (node) for (const rule of node.rules) applyRule(run, node, rule, schema, value, old, path);
  if (Array.isArray(value)) return visitItems(run, schema, value, old, path);
  if (!isObject(value)) return;
  const before = isObject(old) ? old : {};
  const { properties, additionalProperties: extra } = schema;
  for (const [name, field] of Object.entries(value)) {
    const known = properties && Object.hasOwn(properties, name) ? properties[name] : undefined;
    const below = known ?? (typeof extra === 'object' ? extra : undefined);
    const at = known ? (path ? `${path}.${name}` : name) : `${path}[${name}]`;
    if (below) visit(run, below, field, Object.hasOwn(before, name) ? before[name] : undefined, at);
  }
}

/** Only lists whose items have keys tell which item was which. */
function visitItems(run: Run, schema: Schema, value: readonly unknown[], old: unknown, path: string): void {
  const { items } = schema;
  if (!items) return;
  const keyOf = keysOf(schema);
  const before = new Map<string, unknown>();
  if (keyOf && Array.isArray(old)) for (const item of old) before.set(keyOf(item), item);
  value.forEach((item, at) => visit(run, items, item, keyOf && before.get(keyOf(item)), `${path}[${at}]`));
}

function keysOf(schema: Schema): ((item: unknown) => string) | undefined {
  if (schema['x-kubernetes-list-type'] !== 'map') return undefined;
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  const defaults = schema.items?.properties;
  return (item) =>
    jsonKey(keys.map((key) => (isObject(item) ? item[key] : undefined) ?? defaults?.[key]?.default ?? null));
}

function applyRule(
  run: Run,
  { types }: NodeRules,
  compiled: CompiledRule,
  schema: Schema,
  value: unknown,
  old: unknown,
  path: string,
): void {
  if (run.stopped) return;
  const { source, rule } = compiled;
  const isNew = old === undefined || old === null;
  if (compiled.isTransition && isNew) return;
  // What was wrong before and has not been touched stays allowed, as long as the past is not what the rule is about.
  if (!isNew && !rule.names.has('oldSelf') && jsonEqual(value, old)) return;
  const type = typeName(schema);
  const variables: Record<string, unknown> = { self: types.value(value, schema) };
  if (rule.names.has('oldSelf') || compiled.message?.names.has('oldSelf')) {
    const { optional } = run.cel;
    const before = isNew ? undefined : types.value(old, schema);
    if (source.optionalOldSelf) variables['oldSelf'] = isNew ? optional.none() : optional.of(before);
    else if (!isNew) variables['oldSelf'] = before;
  }
  const outcome = rule.evaluate(variables, run.meter);
  if (outcome.ok && outcome.value === true) return;
  if (!outcome.ok && outcome.overBudget) {
    run.stopped = true;
    const why = run.meter.isEmpty
      ? 'validation failed due to running out of cost budget, no further validation rules will be run'
      : `call cost exceeds limit for rule: ${rule.text}, no further validation rules will be run`;
    run.errors.push(invalid(path, type, why));
    return;
  }
  const said = `failed rule: ${rule.text.trim()}`;
  if (!outcome.ok) {
    run.errors.push(invalid(path, type, `${outcome.why} evaluating rule: ${source.message ?? said}`));
    return;
  }
  const message = (messageOf(run, compiled, variables) ?? source.message?.trim()) || said;
  run.errors.push(refusal(source.reason, fieldAt(path, source.fieldPath, schema), type, message));
}

function messageOf(run: Run, { message }: CompiledRule, variables: Record<string, unknown>): string | undefined {
  const outcome = message?.evaluate(variables, run.meter);
  if (!outcome?.ok || typeof outcome.value !== 'string') return undefined;
  const text = outcome.value.trim();
  return text === '' || text.includes('\n') || text.length > maxMessage ? undefined : text;
}

const invalid = (field: string, type: string, detail: string): FieldError => ({
  reason: 'FieldValueInvalid',
  field,
  message: `Invalid value: "${type}": ${detail}`,
});

function refusal(reason: string | undefined, field: string, type: string, message: string): FieldError {
  switch (reason) {
    case 'FieldValueForbidden':
      return forbiddenField(field, message);
    case 'FieldValueRequired':
      return { reason, field, message: `Required value: ${message}` };
    case 'FieldValueDuplicate':
      return { reason, field, message: `Duplicate value: "${type}"` };
    default:
      return invalid(field, type, message);
  }
}

function fieldAt(path: string, fieldPath: string | undefined, schema: Schema): string {
  if (!fieldPath) return path;
  const steps = fieldPathOf(fieldPath, schema);
  if (!steps) return path;
  return steps.reduce((at, step) => {
    if (!/^[\w-]+$/.test(step)) return `${at}[${step}]`;
    return at ? `${at}.${step}` : step;
  }, path);
}

const typeName = (schema: Schema): string => (schema['x-kubernetes-int-or-string'] ? '' : (schema.type ?? ''));
