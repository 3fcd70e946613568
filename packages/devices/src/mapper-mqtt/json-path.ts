// A subset of JSON paths that names one place: `$.a.b`, `$.list[0]`, `$['a name']`, with or without `$`. Pure.

export type Step = string | number;

const longestPath = 32;
const step = /\.?([^.[\]'"*?@()\s]+)|\[(\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]/y;

/** The steps, or what is wrong with the text. */
export function parsePath(text: string): readonly Step[] | string {
  const steps: Step[] = [];
  let at = text.startsWith('$') ? 1 : 0;
  if (at === 1 && text.length > 1 && !/[.[]/.test(text[1]!)) return `after $ comes . or [, not "${text[1]}"`;
  while (at < text.length) {
    step.lastIndex = at;
    const found = step.exec(text);
    // A name without a dot is the first thing or nothing.
    const isBare = found?.[1] !== undefined && !found[0].startsWith('.');
    if (!found || (isBare && at > 0)) return `"${text.slice(at, at + 20)}" is not .name, [number] or ['name']`;
    const [, name, index, quoted, doubleQuoted] = found;
    steps.push(index === undefined ? (name ?? quoted ?? doubleQuoted ?? '') : Number(index));
    if (steps.length > longestPath) return `more than ${longestPath} steps`;
    at = step.lastIndex;
  }
  return steps;
}

/** What is at the place; undefined: there is nothing. */
export function follow(document: unknown, steps: readonly Step[]): unknown {
  let here = document;
  for (const one of steps) {
    if (typeof here !== 'object' || here === null) return undefined;
    if (Array.isArray(here)) here = typeof one === 'number' ? (here as unknown[])[one] : undefined;
    else here = Object.hasOwn(here, one) ? (here as Record<string, unknown>)[one] : undefined;
  }
  return here;
}
