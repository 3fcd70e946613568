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
/** The most expensive rules are told, as upstream, up to this many. */
const mostTold = 4;

interface RuleCost {
  readonly at: string;
  readonly cost: number;
}

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
  const costs: RuleCost[] = [];

  /** `alone` is where the past is lost: no part below it can be matched with what it was. */
  function visit(node: Schema, at: string, containers: readonly Container[], alone: string | undefined): void {
    const sources = node['x-kubernetes-validations'] ?? [];
    if (sources.length > 0) {
      const compiled = compileNode(
        cel,
        node,
        sources,
        { path: `${at}.x-kubernetes-validations`, containers, alone },
        errors,
      );
      costs.push(...compiled.costs);
      rules.set(node, compiled.node);
    }
    for (const { node: child, at: below, container, isMatched } of childNodes(node)) {
      const within = container ? [...containers, container] : containers;
      visit(child, `${at}.${below}`, within, alone ?? (isMatched ? undefined : at));
    }
  }
  visit(schema, path, [], undefined);
  const total = costs.reduce((sum, { cost }) => sum + cost, 0);
  if (total > totalCostLimit) {
    const contributed = 'contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema';
    const most = costs.toSorted((a, b) => b.cost - a.cost).slice(0, mostTold);
    const what = 'x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema';
    errors.push(
      ...most.map(({ at }) => forbiddenField(at, contributed)),
      forbiddenField(path, tooExpensive(what, total, totalCostLimit)),
    );
  }
  return { rules, errors };
}

interface Child {
  readonly node: Schema;
  readonly at: string;
  readonly container?: Container;
  /** Whether it can be told what the child was before. */
  readonly isMatched: boolean;
}

function childNodes(schema: Schema): Child[] {
  const { properties, items, additionalProperties: extra, maxItems, maxProperties } = schema;
  const isGranular = schema['x-kubernetes-map-type'] !== 'atomic';
  const isMap = schema['x-kubernetes-list-type'] === 'map';
  return [
    ...Object.entries(properties ?? {}).map(([name, node]) => ({
      node,
      at: `properties[${name}]`,
      isMatched: isGranular,
    })),
    ...(items && !Array.isArray(items)
      ? [{ node: items, at: 'items', container: { max: maxItems }, isMatched: isMap }]
      : []),
    ...(typeof extra === 'object'
      ? [{ node: extra, at: 'additionalProperties', container: { max: maxProperties }, isMatched: isGranular }]
      : []),
  ];
}

interface Place {
  readonly path: string;
  readonly containers: readonly Container[];
  readonly alone: string | undefined;
}

function compileNode(
  cel: Cel,
  node: Schema,
  sources: readonly ValidationRule[],
  { path, containers, alone }: Place,
  errors: FieldError[],
): { node: NodeRules; costs: RuleCost[] } {
  const env = cel.open();
  const types = createCelTypes(env, cel);
  const self = types.of(node);
  const plain = env.registerVariable('self', self);
  // `oldSelf` is a value, or an optional one, as each rule says.
  const withOld = plain.clone().registerVariable('oldSelf', self);
  const withOptional = plain.clone().registerVariable('oldSelf', `optional<${self}>`);
  const cardinality = cardinalityOf(node, containers);
  const rules: CompiledRule[] = [];
  const costs: RuleCost[] = [];

  const measure = (expression: Expression, at: string): void => {
    const one = estimateCost(expression.ast, { self: node, oldSelf: node }) * cardinality;
    costs.push({ at, cost: one });
    if (one > ruleCostLimit) errors.push(forbiddenField(at, tooExpensive('estimated rule cost', one, ruleCostLimit)));
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
    const rule = use(
      compile(scope, source.rule, ['bool'], 'cel expression must evaluate to a bool'),
      source.rule,
      `${at}.rule`,
    );
    if (!rule) return;
    const isTransition = rule.names.has('oldSelf');
    if (isTransition && alone !== undefined) {
      const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${alone}`;
      errors.push(invalidField(`${at}.rule`, source.rule, why));
    }
    if (source.optionalOldSelf !== undefined && !isTransition) {
      const why = 'may not be set if oldSelf is not used in rule';
      errors.push(invalidField(`${at}.optionalOldSelf`, source.optionalOldSelf, why));
    }
    const message = source.messageExpression
      ? use(
          compile(scope, source.messageExpression, ['string'], 'messageExpression must evaluate to a string'),
          source.messageExpression,
          `${at}.messageExpression`,
        )
      : undefined;
    rules.push({ source, rule, message, isTransition: isTransition && !source.optionalOldSelf });
  });
  return { node: { rules, types }, costs };
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
    if (!known) errors.push(invalidField(`${path}.fieldPath`, fieldPath, 'fieldPath must be a valid path'));
  }
  return errors;
}

/** The steps of a fieldPath such as `.spec.foo['a.b']`; undefined when it leads nowhere. */
export function fieldPathOf(text: string, schema: Schema): readonly string[] | undefined {
  const steps: string[] = [];
  const step = /\.([A-Za-z_][\w-]*)|\['((?:[^'\\]|\\.)+)'\]/gy;
  let read = 0;
  let node: Schema | undefined = schema;
  for (const match of text.matchAll(step)) {
    read = match.index + match[0].length;
    const name = match[1] ?? match[2]!.replaceAll(/\\(.)/g, '$1');
    steps.push(name);
    node = partOf(node, name);
    if (!node) return undefined;
  }
  return read === text.length && steps.length > 0 ? steps : undefined;
}

function partOf({ properties, additionalProperties: extra }: Schema, name: string): Schema | undefined {
  if (properties && Object.hasOwn(properties, name)) return properties[name];
  return typeof extra === 'object' ? extra : undefined;
}

const factor = (cost: number, limit: number): string => {
  const by = cost / limit;
  return by > 100 ? 'more than 100' : by < 1.5 ? by.toFixed(6) : by.toFixed(1);
};

const tooExpensive = (what: string, cost: number, limit: number): string =>
  `${what} exceeds budget by factor of ${factor(cost, limit)}x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
