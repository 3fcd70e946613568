// Regular expressions of schemas. They are written for RE2; the common differences are translated, and what RE2 does not
// know, such as looking around and back references, is refused when the schema is checked. What is left can be matched in
// linear time: the server tells V8 to do so once an expression backtracks too much, for which there must be neither
// Unicode mode nor the ignore-case flag, so both are avoided where that is possible.

const compiled = new Map<string, RegExp | undefined>();
const maxCompiled = 1_000;

/** The expression, or undefined when it cannot be compiled. */
export function compilePattern(pattern: string): RegExp | undefined {
  if (compiled.has(pattern)) return compiled.get(pattern);
  if (compiled.size >= maxCompiled) compiled.clear();
  const regex = compile(pattern);
  compiled.set(pattern, regex);
  return regex;
}

/** Look-ahead, look-behind, back references, possessive and atomic groups: not in RE2. */
const foreign = /\(\?(?:[=!>]|<[=!])|\\[1-9]|\\k</;
const classNames: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  blank: '\\t ',
  digit: '0-9',
  lower: 'a-z',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\s',
  upper: 'A-Z',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
};

function compile(pattern: string): RegExp | undefined {
  if (foreign.test(pattern.replaceAll('\\\\', ''))) return undefined;
  const [, flags = '', body = pattern] = /^\(\?([ims]+)\)([^]*)$/.exec(pattern) ?? [];
  const plain = body
    .replaceAll('(?P<', '(?<')
    .replaceAll(/\\([Az])/g, (_, anchor: string) => (anchor === 'A' ? '^' : '$'))
    .replaceAll(/\[:(\w+):\]/g, (whole, name: string) => classNames[name] ?? whole);
  const source = flags.includes('i') ? inBothCases(plain) : plain;
  const rest = flags.replace('i', '');
  // Characters beyond the first plane and \p{...} need Unicode mode, which refuses needless escapes, as RE2 does not.
  const needsUnicode = /\\[pP]|[\uD800-\uDFFF]/.test(source);
  for (const mode of needsUnicode ? [`${rest}u`] : [rest, `${rest}u`]) {
    try {
      return new RegExp(needsUnicode ? source.replaceAll(/\\([pP])([A-Z])/g, '\\$1{$2}') : source, mode);
    } catch {
      // The next mode may take it.
    }
  }
  return undefined;
}

/** Every ASCII letter as a class of both its cases. */
function inBothCases(source: string): string {
  let result = '';
  let inClass = false;
  for (let at = 0; at < source.length; at++) {
    const char = source[at]!;
    if (char === '\\') {
      result += char + (source[++at] ?? '');
      continue;
    }
    if (char === '[') inClass = true;
    else if (char === ']') inClass = false;
    const range = inClass ? /^([a-zA-Z])-([a-zA-Z])/.exec(source.slice(at)) : null;
    if (range) {
      const [whole, from = '', to = ''] = range;
      result += `${from.toLowerCase()}-${to.toLowerCase()}${from.toUpperCase()}-${to.toUpperCase()}`;
      at += whole.length - 1;
    } else if (/[a-zA-Z]/.test(char) && !isGroupHead(source, at)) {
      const both = char.toLowerCase() + char.toUpperCase();
      result += inClass ? both : `[${both}]`;
    } else result += char;
  }
  return result;
}

/** Inside `(?<name>`. */
const isGroupHead = (source: string, at: number): boolean => /\(\?(?:P?<)?\w*$/.test(source.slice(0, at));
