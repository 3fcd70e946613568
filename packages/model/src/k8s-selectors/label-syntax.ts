// The grammar of label selectors as text: terms joined by commas. Words may hold any character that is no delimiter;
// whether they are valid keys and values is checked by the caller.
import { parseInteger } from './match-labels.ts';
import type { Requirement } from './match-labels.ts';

export type ParsedLabels =
  | { readonly ok: true; readonly requirements: readonly Requirement[] }
  | { readonly ok: false; readonly why: string };

const binaryOperators = ['=', '==', '!=', 'in', 'notin', '>', '<'] as const;
const operatorList = 'in, notin, =, ==, !=, gt, lt';

class SyntaxProblem extends Error {}

const found = (token: string | undefined, expected: string): SyntaxProblem =>
  new SyntaxProblem(`found '${token ?? ''}', expected: ${expected}`);

export function parseLabelText(text: string): ParsedLabels {
  try {
    return { ok: true, requirements: parseTerms(tokens(text)) };
  } catch (error) {
    if (error instanceof SyntaxProblem) return { ok: false, why: error.message };
    throw error;
  }
}

const tokens = (text: string): string[] => text.match(/==|!=|[=!<>(),]|[^\s=!<>(),]+/g) ?? [];
const isWord = (token: string | undefined): token is string => token !== undefined && !/^[=!<>(),]/.test(token);

function parseTerms(rest: string[]): Requirement[] {
  const requirements: Requirement[] = [];
  while (rest.length > 0) {
    if (rest[0] !== '!' && !isWord(rest[0])) throw found(rest[0], "!, identifier, or 'end of string'");
    requirements.push(parseTerm(rest));
    const separator = rest.shift();
    if (separator === undefined) break;
    if (separator !== ',') throw found(separator, "',' or 'end of string'");
    if (rest[0] !== '!' && !isWord(rest[0])) throw found(rest[0], "identifier after ','");
  }
  return requirements;
}

function parseTerm(rest: string[]): Requirement {
  const negated = rest[0] === '!';
  if (negated) rest.shift();
  const key = rest.shift();
  if (!isWord(key)) throw found(key, 'identifier');
  if (rest.length === 0 || rest[0] === ',') return { op: negated ? '!' : 'exists', key };
  const operator = rest.shift();
  if (negated || !isBinary(operator)) throw found(operator, operatorList);
  return parseOperand(key, operator, rest);
}

const isBinary = (token: string | undefined): token is (typeof binaryOperators)[number] =>
  (binaryOperators as readonly (string | undefined)[]).includes(token);

function parseOperand(key: string, operator: (typeof binaryOperators)[number], rest: string[]): Requirement {
  switch (operator) {
    case 'in':
    case 'notin':
      return { op: operator, key, values: parseValues(rest) };
    case '=':
    case '==':
      return { op: 'in', key, values: [parseValue(rest)] };
    case '!=':
      return { op: 'notin', key, values: [parseValue(rest)] };
    case '>':
    case '<': {
      const than = parseInteger(parseValue(rest));
      if (than === undefined) throw new SyntaxProblem("for 'Gt', 'Lt' operators, the value must be an integer");
      return { op: operator === '>' ? 'gt' : 'lt', key, than };
    }
  }
}

/** A value may be empty: `app=` selects the empty label. */
function parseValue(rest: string[]): string {
  if (rest.length === 0 || rest[0] === ',') return '';
  const value = rest.shift();
  if (!isWord(value)) throw found(value, 'identifier');
  return value;
}

function parseValues(rest: string[]): string[] {
  const open = rest.shift();
  if (open !== '(') throw found(open, "'('");
  const values = new Set<string>();
  for (;;) {
    values.add(isWord(rest[0]) ? rest.shift()! : '');
    const next = rest.shift();
    if (next === ')') return [...values];
    if (next !== ',') throw found(next, "',' or ')'");
  }
}
