// What a rule costs at most, from the sizes its schema allows: a definition whose rules could keep the server busy is
// refused before there are objects. Where the schema sets no limit, the size of a request does.
import type { ASTNode } from '@marcbachmann/cel-js';
import type { Schema } from '../k8s-schema/index.ts';
import { childrenOf } from './expression.ts';
import { escapeField } from './schema-types.ts';

const requestBytes = 3 * 1024 * 1024;
const perCharacter = 0.1;

/** What something evaluates to: its schema where it comes from the object, and how big it is at most. */
interface Shape {
  readonly schema?: Schema | undefined;
  /** Characters, items or entries. */
  readonly size: number;
  /** What iterating yields. */
  readonly item?: Shape | undefined;
}

interface Estimate {
  readonly cost: number;
  readonly shape: Shape;
}

export interface Container {
  readonly max: number | undefined;
}

/** How many of this node an object can hold: the product of what contains it. */
export function cardinalityOf(node: Schema, containers: readonly Container[]): number {
  if (containers.length === 0) return 1;
  const bounded = containers.reduce((product, { max }) => product * (max ?? Infinity), 1);
  return Number.isFinite(bounded) ? bounded : Math.max(1, Math.floor(requestBytes / (smallest(node, 0) + 1)));
}

/** The least number of bytes a value takes. */
function smallest(schema: Schema, depth: number): number {
  if (depth > 20) return 2;
  switch (schema.type) {
    case 'object': {
      const required = schema.required ?? [];
      return required.reduce((sum, name) => {
        const field = schema.properties?.[name];
        return sum + name.length + 4 + (field ? smallest(field, depth + 1) : 1);
      }, 2);
    }
    case 'boolean':
      return 4;
    case 'integer':
    case 'number':
      return 1;
    default:
      return 2;
  }
}

const unknown: Shape = { size: requestBytes };
const scalar: Shape = { size: 1 };

function shapeOf(schema: Schema): Shape {
  switch (schema.type) {
    case 'array': {
      const most = schema.maxItems ?? Math.floor(requestBytes / (schema.items ? smallest(schema.items, 0) + 1 : 2));
      return { schema, size: most, item: schema.items ? shapeLazily(schema.items) : unknown };
    }
    case 'object': {
      if (typeof schema.additionalProperties !== 'object') return { schema, size: requestBytes };
      const least = smallest(schema.additionalProperties, 0) + 6;
      const size = schema.maxProperties ?? Math.floor(requestBytes / least);
      // Iterating over a map yields its keys.
      return { schema, size, item: { size: Math.floor(requestBytes / Math.max(size, 1)) } };
    }
    case 'string':
      return { schema, size: textSize(schema) };
    case undefined:
      return { schema, size: requestBytes };
    default:
      return scalar;
  }
}

const shapeLazily = (schema: Schema): Shape => ({
  schema,
  get size() {
    return shapeOf(schema).size;
  },
  get item() {
    return shapeOf(schema).item;
  },
});

function textSize({ maxLength, enum: allowed, format }: Schema): number {
  if (maxLength !== undefined) return maxLength;
  if (allowed?.length) return Math.max(...allowed.map((one) => String(one).length));
  if (format === 'date') return 10;
  if (format === 'date-time' || format === 'datetime' || format === 'duration') return 30;
  return requestBytes;
}

const loops = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

export function estimateCost(ast: ASTNode, variables: Readonly<Record<string, Schema>>): number {
  const scope = new Map(Object.entries(variables).map(([name, schema]) => [name, shapeOf(schema)] as const));
  return estimate(ast, scope).cost;
}

type Scope = ReadonlyMap<string, Shape>;

function estimate(node: ASTNode, scope: Scope): Estimate {
  switch (node.op) {
    case 'value': {
      const literal = node.args;
      return { cost: 0, shape: typeof literal === 'string' ? { size: literal.length } : scalar };
    }
    case 'id':
      return { cost: 1, shape: scope.get(node.args) ?? unknown };
    case '.':
    case '.?': {
      const of = estimate(node.args[0], scope);
      return { cost: of.cost + 1, shape: fieldOf(of.shape, node.args[1]) };
    }
    case '[]':
    case '[?]': {
      const of = estimate(node.args[0], scope);
      const at = estimate(node.args[1], scope);
      return { cost: of.cost + at.cost + 1, shape: elementOf(of.shape) };
    }
    case 'rcall':
      return estimateCall(String(node.args[0]), node.args[1], node.args[2], scope);
    case 'call':
      return estimateCall(String(node.args[0]), undefined, node.args[1], scope);
    case '?:': {
      const [test, yes, no] = node.args.map((part) => estimate(part, scope)) as [Estimate, Estimate, Estimate];
      const shape = yes.shape.size >= no.shape.size ? yes.shape : no.shape;
      return { cost: test.cost + Math.max(yes.cost, no.cost), shape };
    }
    case 'list': {
      const items = node.args.map((part) => estimate(part, scope));
      return { cost: 10 + sum(items), shape: { size: items.length, item: items[0]?.shape ?? scalar } };
    }
    default:
      return estimateOperator(node, scope);
  }
}

function estimateOperator(node: ASTNode, scope: Scope): Estimate {
  const parts = childrenOf(node).map((part) => estimate(part, scope));
  const sizes = parts.map(({ shape }) => shape.size);
  switch (node.op) {
    case '==':
    case '!=':
      return { cost: sum(parts) + 1 + Math.min(...sizes) * perCharacter, shape: scalar };
    case 'in':
      return { cost: sum(parts) + 1 + (isMap(parts[1]?.shape) ? 0 : (sizes[1] ?? 0)), shape: scalar };
    case '+': {
      const size = (sizes[0] ?? 0) + (sizes[1] ?? 0);
      return { cost: sum(parts) + 1 + size * perCharacter, shape: { size, item: parts[0]?.shape.item } };
    }
    default:
      return { cost: sum(parts) + 1, shape: node.op === 'map' ? { size: parts.length } : scalar };
  }
}

const isMap = (shape: Shape | undefined): boolean => typeof shape?.schema?.additionalProperties === 'object';
const sum = (parts: readonly Estimate[]): number => parts.reduce((total, { cost }) => total + cost, 0);

function estimateCall(name: string, receiver: ASTNode | undefined, args: readonly ASTNode[], scope: Scope): Estimate {
  if (receiver && loops.has(name) && args[0]?.op === 'id') return estimateLoop(name, receiver, args, scope);
  if (name === 'bind' && args[0]?.op === 'id' && args.length === 3) {
    const value = estimate(args[1]!, scope);
    const body = estimate(args[2]!, new Map([...scope, [args[0].args, value.shape]]));
    return { cost: value.cost + body.cost, shape: body.shape };
  }
  const of = receiver && estimate(receiver, scope);
  const given = args.map((part) => estimate(part, scope));
  const inputs = sum(given) + (of?.cost ?? 0);
  const main = of?.shape ?? given[0]?.shape ?? scalar;
  const first = of ? given[0]?.shape : given[1]?.shape;
  switch (name) {
    case 'size':
    case 'has':
    case 'type':
    case 'hasValue':
    case 'orValue':
    case 'or':
    case 'value':
      return { cost: inputs + 1, shape: name === 'size' || name === 'has' ? scalar : main };
    case 'isSorted':
    case 'sum':
    case 'min':
    case 'max':
    case 'indexOf':
    case 'lastIndexOf':
      return { cost: inputs + 1 + (main.item ? main.size : main.size * perCharacter), shape: main.item ?? scalar };
    case 'matches':
    case 'matchesRe2':
    case 'find':
    case 'findAll':
      // Linear in the text and in the expression.
      return { cost: inputs + 1 + main.size * perCharacter * Math.max(1, (first?.size ?? 1) * 0.25), shape: main };
    case 'startsWith':
    case 'endsWith':
      return { cost: inputs + 1 + (first?.size ?? 1) * perCharacter, shape: scalar };
    case 'contains':
    case 'replace':
    case 'split':
      return {
        cost: inputs + 1 + main.size * perCharacter * Math.max(1, (first?.size ?? 1) * perCharacter),
        shape: { size: main.size, item: { size: main.size } },
      };
    default:
      return { cost: inputs + 1 + main.size * perCharacter, shape: main };
  }
}

function estimateLoop(name: string, receiver: ASTNode, args: readonly ASTNode[], scope: Scope): Estimate {
  const over = estimate(receiver, scope);
  const variable = args[0]!.op === 'id' ? args[0]!.args : '';
  const inner = new Map([...scope, [variable, over.shape.item ?? unknown]]);
  const bodies = args.slice(1).map((part) => estimate(part, inner));
  const result: Shape =
    name === 'filter' ? over.shape : name === 'map' ? { size: over.shape.size, item: bodies.at(-1)?.shape } : scalar;
  return { cost: over.cost + 1 + over.shape.size * (sum(bodies) + 2), shape: result };
}

function fieldOf({ schema }: Shape, name: string): Shape {
  const { properties, additionalProperties: extra } = schema ?? {};
  if (properties) {
    for (const [field, inner] of Object.entries(properties)) if (escapeField(field) === name) return shapeOf(inner);
  }
  return typeof extra === 'object' ? shapeOf(extra) : unknown;
}

function elementOf({ schema, item }: Shape): Shape {
  if (typeof schema?.additionalProperties === 'object') return shapeOf(schema.additionalProperties);
  return item ?? unknown;
}
