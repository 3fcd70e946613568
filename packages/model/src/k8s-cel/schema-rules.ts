// The rules of a schema (`x-kubernetes-validations`): compiled per node of the schema, with their estimated cost; and the
// errors that a CustomResourceDefinition gets for rules that cannot be.
import type { Environment } from '@marcbachmann/cel-js';
import { forbiddenField, invalidField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { Schema, ValidationRule } from '../k8s-schema/index.ts';
import type { Cel } from './cel-environment.ts';
import { cardinalityOf, type Container, estimateCost } from './estimate-cost.ts';
import { compile, type Compiled, type Expression } from './expression.ts';
import { type CelTypes, createCelTypes } from './schema-types.ts';

export interface CompiledRule {
  readonly source: ValidationRule;
  readonly rule: Expression;
  readonly message: Expression | undefined;
  /** Needs a state before. */
  readonly isTransition: boolean;
}

export interface NodeRules {
  readonly rules: readonly CompiledRule[];
  readonly types: CelTypes;
}

/** By node of the schema; a node that is absent has no rules. */
export type SchemaRules = ReadonlyMap<Schema, NodeRules>;

/** Kubernetes' limits for what a rule, and all of one version, may cost at most. */
const ruleCostLimit = 10_000_000;
const totalCostLimit = 100_000_000;

export interface CompiledSchema {
  readonly rules: SchemaRules;
  readonly errors: readonly FieldError[];
}

export const hasRules = (schema: Schema): boolean =>
  (schema['x-kubernetes-validations']?.length ?? 0) > 0 || childNodes(schema).some(({ node }) => hasRules(node));

/** `path` is where the schema stands, such as `spec.versions[0].schema.openAPIV3Schema`. */
export function compileSchemaRules(cel: Cel, schema: Schema, path: string): CompiledSchema {
  const rules = new Map<Schema, NodeRules>();
  const errors: FieldError[] = [];
  let total = 0;

  function visit(node: Schema, at: string, containers: readonly Container[]): void {
    const sources = node['x-kubernetes-validations'] ?? [];
    if (sources.length > 0) {
      const compiled = compileNode(cel, node, sources, `${at}.x-kubernetes-validations`, containers, errors);
      total += compiled.cost;
      rules.set(node, compiled.node);
    }
    for (const { node: child, at: below, container } of childNodes(node))
      visit(child, `${at}.${below}`, container ? [...containers, container] : containers);
  }
  visit(schema, path, []);
  if (total > totalCostLimit) {
    errors.push(
      forbiddenField(
        path,
        `x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds budget by factor of ${factor(total, totalCostLimit)}x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`,
      ),
    );
  }
  return { rules, errors };
}

interface Child {
  readonly node: Schema;
  readonly at: string;
  readonly container?: Container;
}

export function childNodes({
  properties,
  items,
  additionalProperties: extra,
  maxItems,
  maxProperties,
}: Schema): Child[] {
  return [
    ...Object.entries(properties ?? {}).map(([name, node]) => ({ node, at: `properties[${name}]` })),
    ...(items && !Array.isArray(items) ? [{ node: items, at: 'items', container: { max: maxItems } }] : []),
    ...(typeof extra === 'object'
      ? [{ node: extra, at: 'additionalProperties', container: { max: maxProperties } }]
      : []),
  ];
}

function compileNode(
  cel: Cel,
  node: Schema,
  sources: readonly ValidationRule[],
  path: string,
  containers: readonly Container[],
  errors: FieldError[],
): { node: NodeRules; cost: number } {
  const env = cel.open();
  const types = createCelTypes(env, cel);
  const self = types.of(node);
  const plain = env.registerVariable('self', self);
  // `oldSelf` is a value, or an optional one, as each rule says.
  const withOld = plain.clone().registerVariable('oldSelf', self);
  const withOptional = plain.clone().registerVariable('oldSelf', `optional<${self}>`);
  const cardinality = cardinalityOf(node, containers);
  const rules: CompiledRule[] = [];
  let cost = 0;

  const measure = (expression: Expression, at: string): void => {
    const one = estimateCost(expression.ast, { self: node, oldSelf: node }) * cardinality;
    cost += one;
    if (one > ruleCostLimit) errors.push(forbiddenField(at, tooExpensive(one)));
  };
  const use = (compiled: Compiled, value: string, at: string): Expression | undefined => {
    if (!compiled.ok) {
      errors.push(invalidField(at, value, compiled.why));
      return undefined;
    }
    measure(compiled.expression, at);
    return compiled.expression;
  };

  sources.forEach((source, index) => {
    const at = `${path}[${index}]`;
    errors.push(...checkSource(source, node, at));
    if (!source.rule?.trim()) return;
    const scope: Environment = source.optionalOldSelf ? withOptional : withOld;
    const rule = use(compile(scope, source.rule, ['bool'], 'must evaluate to a bool'), source.rule, `${at}.rule`);
    if (!rule) return;
    const isTransition = rule.names.has('oldSelf');
    if (source.optionalOldSelf && !isTransition) {
      errors.push(
        invalidField(`${at}.optionalOldSelf`, true, 'option optionalOldSelf may only be set when rule uses oldSelf'),
      );
    }
    const message = source.messageExpression
      ? use(
          compile(scope, source.messageExpression, ['string'], 'must evaluate to a string'),
          source.messageExpression,
          `${at}.messageExpression`,
        )
      : undefined;
    rules.push({ source, rule, message, isTransition: isTransition && !source.optionalOldSelf });
  });
  return { node: { rules, types }, cost };
}

const reasons = ['FieldValueRequired', 'FieldValueInvalid', 'FieldValueForbidden', 'FieldValueDuplicate'];

function checkSource(source: ValidationRule, node: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { rule, message, messageExpression, reason, fieldPath } = source;
  if (!rule?.trim())
    errors.push({
      reason: 'FieldValueRequired',
      field: `${path}.rule`,
      message: 'Required value: rule is not specified',
    });
  if (message !== undefined && message !== '' && !message.trim())
    errors.push(invalidField(`${path}.message`, message, 'message must be non-empty if specified'));
  else if (message?.includes('\n'))
    errors.push(invalidField(`${path}.message`, message, 'message must not contain line breaks'));
  else if (rule?.includes('\n') && !message)
    errors.push({
      reason: 'FieldValueRequired',
      field: `${path}.message`,
      message: 'Required value: message must be specified if rule contains line breaks',
    });
  if (messageExpression !== undefined && messageExpression !== '' && !messageExpression.trim())
    errors.push({
      reason: 'FieldValueRequired',
      field: `${path}.messageExpression`,
      message: 'Required value: messageExpression must be non-empty if specified',
    });
  if (reason !== undefined && !reasons.includes(reason)) {
    errors.push({
      reason: 'FieldValueNotSupported',
      field: `${path}.reason`,
      message: `Unsupported value: "${reason}": supported values: ${reasons.map((one) => `"${one}"`).join(', ')}`,
    });
  }
  if (fieldPath !== undefined) {
    const known = fieldPathOf(fieldPath, node);
    if (typeof known === 'string') errors.push(invalidField(`${path}.fieldPath`, fieldPath, known));
  }
  return errors;
}

/** The steps of a fieldPath such as `.spec.foo['a.b']`; a sentence when it leads nowhere. */
export function fieldPathOf(text: string, schema: Schema): readonly string[] | string {
  if (!text.trim()) return 'fieldPath must be non-empty if specified';
  if (text.includes('\n')) return 'fieldPath must not contain line breaks';
  const steps: string[] = [];
  const step = /\.([A-Za-z_][\w-]*)|\['((?:[^'\\]|\\.)+)'\]/gy;
  let read = 0;
  let node: Schema | undefined = schema;
  for (const match of text.matchAll(step)) {
    read = match.index + match[0].length;
    const name = match[1] ?? match[2]!.replaceAll(/\\(.)/g, '$1');
    steps.push(name);
    node =
      node?.properties && Object.hasOwn(node.properties, name)
        ? node.properties[name]
        : typeof node?.additionalProperties === 'object'
          ? node.additionalProperties
          : undefined;
    if (!node) return `fieldPath must be a valid path: does not refer to a valid field`;
  }
  return read === text.length ? steps : "fieldPath must be a valid path: expected .field or ['field']";
}

const factor = (cost: number, limit: number): string => {
  const by = cost / limit;
  return by > 100 ? 'more than 100' : by < 1.5 ? by.toFixed(6) : by.toFixed(1);
};

const tooExpensive = (cost: number): string =>
  `estimated rule cost exceeds budget by factor of ${factor(cost, ruleCostLimit)}x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
