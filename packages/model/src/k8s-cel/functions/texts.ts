// Functions on strings: regular expressions, replacing, quoting, formatting.
import type { Environment } from '@marcbachmann/cel-js';
import { compilePattern } from '../../k8s-schema/index.ts';
import { evaluationFailed } from '../values.ts';

const sync = { async: false };
/** What one call may produce. */
const maxText = 4 << 20;

class StringsNamespace {
  readonly functions = 'strings';
}

export function registerTextFunctions(env: Environment): void {
  env.registerFunction(
    'string.find(string): string',
    (text: string, pattern: string) => regex(pattern).exec(text)?.[0] ?? '',
    sync,
  );
  env.registerFunction(
    'string.findAll(string): list<string>',
    (text: string, pattern: string) => findAll(text, pattern, -1),
    sync,
  );
  env.registerFunction(
    'string.findAll(string, int): list<string>',
    (text: string, pattern: string, most: bigint) => findAll(text, pattern, Number(most)),
    sync,
  );
  // The library's own `matches` compiles what it is given as JavaScript's dialect; expressions are sent here instead.
  env.registerFunction(
    'string.matchesRe2(string): bool',
    (text: string, pattern: string) => regex(pattern).test(text),
    sync,
  );
  env.registerFunction(
    'matchesRe2(string, string): bool',
    (text: string, pattern: string) => regex(pattern).test(text),
    sync,
  );
  env.registerFunction('string.charAt(int): string', (text: string, at: bigint) => charAt([...text], Number(at)), sync);
  env.registerFunction(
    'string.replace(string, string): string',
    (text: string, from: string, to: string) => replace(text, from, to, -1),
    sync,
  );
  env.registerFunction(
    'string.replace(string, string, int): string',
    (text: string, from: string, to: string, most: bigint) => replace(text, from, to, Number(most)),
    sync,
  );
  env.registerFunction('string.format(list): string', (text: string, values: unknown[]) => format(text, values), sync);
  env.registerType('StringsNamespace', StringsNamespace);
  env.registerConstant('strings', 'StringsNamespace', new StringsNamespace());
  env.registerFunction(
    'StringsNamespace.quote(string): string',
    (_: unknown, text: string) => JSON.stringify(text),
    sync,
  );
}

function regex(pattern: string): RegExp {
  const compiled = compilePattern(pattern);
  if (!compiled) throw evaluationFailed(`error parsing regexp: ${pattern}`);
  return compiled;
}

function findAll(text: string, pattern: string, most: number): string[] {
  if (most === 0) return [];
  const { source, flags } = regex(pattern);
  const found: string[] = [];
  for (const [match] of text.matchAll(new RegExp(source, `${flags}g`))) {
    found.push(match);
    if (most > 0 && found.length >= most) break;
  }
  return found;
}

function charAt(letters: readonly string[], at: number): string {
  if (at < 0 || at > letters.length) throw evaluationFailed(`index out of range: ${at}`);
  return letters[at] ?? '';
}

function replace(text: string, from: string, to: string, most: number): string {
  const parts = text.split(from);
  const count = most < 0 ? parts.length - 1 : Math.min(most, parts.length - 1);
  if (text.length + count * to.length > maxText) throw evaluationFailed('the result is too long');
  return [parts.slice(0, count + 1).join(to), ...parts.slice(count + 1)].join(from);
}

/** The verbs of `fmt`: %s %d %f %e %b %o %x %X, with a precision for %f and %e. */
function format(text: string, values: readonly unknown[]): string {
  let next = 0;
  return text.replaceAll(/%(?:%|(?:\.(\d{1,3}))?([a-zA-Z]))/g, (whole, precision: string | undefined, verb: string) => {
    if (whole === '%%') return '%';
    if (next >= values.length) throw evaluationFailed(`index ${next} out of range`);
    return formatted(verb, values[next++], precision === undefined ? 6 : Number(precision));
  });
}

function formatted(verb: string, value: unknown, precision: number): string {
  const number = typeof value === 'bigint' || typeof value === 'number';
  switch (verb) {
    case 's':
      return shown(value);
    case 'd':
      if (number) return String(value);
      break;
    case 'f':
      if (number) return Number(value).toFixed(precision);
      break;
    case 'e':
      if (number)
        return Number(value)
          .toExponential(precision)
          .replace(/e([+-])(\d)$/, 'e$10$2');
      break;
    case 'b':
      if (typeof value === 'boolean') return value ? '1' : '0';
      if (typeof value === 'bigint') return value.toString(2);
      break;
    case 'o':
      if (typeof value === 'bigint') return value.toString(8);
      break;
    case 'x':
    case 'X': {
      const hex = hexOf(value);
      if (hex !== undefined) return verb === 'X' ? hex.toUpperCase() : hex;
      break;
    }
    default:
      throw evaluationFailed(`unrecognized formatting clause "${verb}"`);
  }
  throw evaluationFailed(`the value cannot be formatted with %${verb}`);
}

function hexOf(value: unknown): string | undefined {
  if (typeof value === 'bigint') return value.toString(16);
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  if (!(bytes instanceof Uint8Array)) return undefined;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A value as text, nested ones in brackets. */
export function shown(value: unknown): string {
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  if (value instanceof Map) {
    return `{${[...value]
      .map(([key, field]) => `${shown(key)}: ${shown(field)}`)
      .sort()
      .join(', ')}}`;
  }
  return String(value);
}
