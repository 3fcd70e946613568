// Regular expressions of schemas. They are written for RE2; the common differences are translated, and what has no
// meaning here is refused when the schema is checked.

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

function compile(pattern: string): RegExp | undefined {
  const [, flags = '', body = pattern] = /^\(\?([ims]+)\)([^]*)$/.exec(pattern) ?? [];
  const source = body
    .replaceAll('(?P<', '(?<')
    .replaceAll(/\\([Az])/g, (_, anchor: string) => (anchor === 'A' ? '^' : '$'))
    .replaceAll('[[:alnum:]]', '[0-9A-Za-z]')
    .replaceAll('[[:alpha:]]', '[A-Za-z]')
    .replaceAll('[[:digit:]]', '[0-9]')
    .replaceAll('[[:space:]]', '[\\s]');
  // Unicode mode counts characters as RE2 does, but refuses needless escapes, which RE2 takes.
  for (const mode of [`${flags}u`, flags]) {
    try {
      return new RegExp(source, mode);
    } catch {
      // The next mode is laxer.
    }
  }
  return undefined;
}
