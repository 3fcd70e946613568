// One expression: parsed, checked against the types of its variables, and evaluated under a meter. The library has no cost
// limits of its own: each node of the tree is made to report itself before it is evaluated.
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import type { Meter } from './meter.ts';
import { sizeOf } from './values.ts';

export interface Expression {
  readonly text: string;
  readonly ast: ASTNode;
  /** The variables it names. */
  readonly names: ReadonlySet<string>;
  evaluate(variables: Readonly<Record<string, unknown>>, meter: Meter): Evaluated;
}

export type Evaluated =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly why: string; readonly overBudget: boolean };

export type Compiled =
  | { readonly ok: true; readonly expression: Expression }
  | { readonly ok: false; readonly why: string };

const maxLength = 10_000;

/** `wanted` are the types the result may have; what is only known at run time passes. */
export function compile(env: Environment, text: string, wanted: readonly string[], say: string): Compiled {
  if (text.length > maxLength) return { ok: false, why: `expression exceeds ${maxLength} characters` };
  let parsed: ReturnType<Environment['parse']>;
  try {
    parsed = env.parse(text);
  } catch (error) {
    return { ok: false, why: `compilation failed: ${describe(text, error, 'Syntax error: ')}` };
  }
  let active: Meter | undefined;
  const names = new Set<string>();
  if (isTooDeep(parsed.ast)) return { ok: false, why: 'compilation failed: the expression is nested too deeply' };
  prepare(parsed.ast, { names, charge: (cost) => active?.charge(cost) }, false);
  const checked = parsed.check();
  if (!checked.valid) return { ok: false, why: `compilation failed: ${describe(text, checked.error, '')}` };
  if (checked.type !== undefined && checked.type !== 'dyn' && !wanted.includes(checked.type))
    return { ok: false, why: say };
  const expression: Expression = {
    text,
    ast: parsed.ast,
    names,
    evaluate(variables, meter) {
      meter.begin();
      active = meter;
      try {
        const value: unknown = parsed(variables);
        // An error inside `||` is passed over; going over the limit is not.
        if (meter.isOver) return overBudget;
        return { ok: true, value };
      } catch (error) {
        return meter.isOver ? overBudget : { ok: false, why: sayRuntime(error), overBudget: false };
      } finally {
        active = undefined;
        meter.end();
      }
    },
  };
  return { ok: true, expression };
}

/** Checking and evaluating go down the tree; the parser bounds brackets, but not chains of operators. */
const maxDepth = 500;

function isTooDeep(ast: ASTNode): boolean {
  const left: [node: ASTNode, depth: number][] = [[ast, 1]];
  for (let next = left.pop(); next; next = left.pop()) {
    const [node, depth] = next;
    if (depth > maxDepth) return true;
    for (const child of childrenOf(node)) left.push([child, depth + 1]);
  }
  return false;
}

const overBudget: Evaluated = {
  ok: false,
  why: 'operation cancelled: actual cost limit exceeded',
  overBudget: true,
};

interface Hooks {
  readonly names: Set<string>;
  charge(cost: number): void;
}

/** Operators that look at all of their operands. */
const thorough = new Set(['==', '!=', 'in', '+', 'call', 'rcall']);
/** Functions that look at their receiver as a whole only to count it. */
const cheap = new Set(['size', 'has', 'all', 'exists', 'exists_one', 'map', 'filter', 'type']);

type Evaluate = (this: ASTNode, evaluator: unknown, node: ASTNode, context: unknown) => unknown;

/** Makes the node and what is below it report itself; `sized`: its value is looked at as a whole. */
function prepare(node: ASTNode, hooks: Hooks, sized: boolean): void {
  if (node.op === 'id') hooks.names.add(node.args);
  if ((node.op === 'rcall' || node.op === 'call') && node.args[0] === 'matches') {
    // Linear time and RE2's dialect instead of JavaScript's.
    (node.args as unknown[])[0] = 'matchesRe2';
  }
  const below = thorough.has(node.op) && !(node.op.endsWith('call') && cheap.has(String((node.args as unknown[])[0])));
  for (const child of childrenOf(node)) prepare(child, hooks, below);
  // The first evaluation replaces the method by the one that fits; the replacement has to report itself too.
  let inner = (node as unknown as { evaluate: Evaluate }).evaluate;
  const metered: Evaluate = function (evaluator, given, context) {
    hooks.charge(1);
    const value = inner.call(node, evaluator, given, context);
    if (sized) hooks.charge(sizeOf(value) - 1);
    return value;
  };
  Object.defineProperty(node, 'evaluate', {
    get: () => metered,
    set(replacement: Evaluate) {
      inner = replacement;
    },
  });
}

export function childrenOf(node: ASTNode): ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case 'map':
      return node.args.flat();
    case '!_':
    case '-_':
      return [node.args];
    default:
      return [...node.args];
  }
}

interface CelError {
  readonly code?: string;
  readonly summary?: string;
  readonly range?: { readonly start: number };
  readonly node?: { readonly op?: string; readonly args?: unknown };
}

/** Where CEL's own compiler would point: at the dot of a field, at the operator between its operands. */
function placeOf(text: string, start: number, code: string | undefined, node: CelError['node']): number {
  if (code === 'no_such_key' && text[start - 1] === '.') return start - 1;
  const [left] = Array.isArray(node?.args) ? (node.args as { readonly end?: number }[]) : [];
  if (code !== 'no_such_overload' || left?.end === undefined || !node?.op || !/^(?:[-+*/%<>=!]+|in)$/.test(node.op))
    return start;
  const at = text.indexOf(node.op, left.end);
  return at < 0 ? start : at;
}

/** The compiler's complaint with its place, in the shape that CEL's own compiler uses. */
function describe(text: string, error: unknown, prefix: string): string {
  const { code, summary, range, node } = error as CelError;
  const said = summary ?? (error instanceof Error ? error.message : String(error));
  const what = inCelWords(code, said);
  const at = placeOf(text, range?.start ?? 0, code, node);
  const lineStart = text.lastIndexOf('\n', at - 1) + 1;
  const line = text.slice(0, lineStart).split('\n').length;
  const column = at - lineStart;
  const [source = ''] = text.slice(lineStart).split('\n');
  return `ERROR: <input>:${line}:${column + 1}: ${prefix}${what}\n | ${source}\n | ${'.'.repeat(column)}^`;
}

function inCelWords(code: string | undefined, said: string): string {
  const field = /^No such key: (.*)$/.exec(said)?.[1];
  if (code === 'no_such_key' && field !== undefined) return `undefined field '${field}'`;
  const name = /^Unknown variable: (.*)$/.exec(said)?.[1];
  if (name !== undefined) return `undeclared reference to '${name}' (in container '')`;
  const [, left, op, right] = /^no such overload: (\S+) ([-+*/%<>=!]+|in) (\S+)$/.exec(said) ?? [];
  if (op) return `found no matching overload for '${op === 'in' ? '@in' : `_${op}_`}' applied to '(${left}, ${right})'`;
  return said;
}

/** What went wrong at run time, first line, as CEL says it. */
function sayRuntime(error: unknown): string {
  const { summary } = error as CelError;
  const [said = ''] = (summary ?? (error instanceof Error ? error.message : String(error))).split('\n');
  return said.charAt(0).toLowerCase() + said.slice(1);
}
