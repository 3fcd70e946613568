// Reads the documentation comments of one TypeScript declaration: that of the type, those of its fields, and the literals
// that a field's type is made of.

export interface Declared {
  readonly text: string | undefined;
  readonly fields: ReadonlyMap<string, { readonly text: string; readonly values: readonly string[] }>;
}

const comment = /\/\*\*((?:[^*]|\*(?!\/))*)\*\//.source;
const type = new RegExp(`${comment}\\s*export (?:declare class|interface) `);
const field = new RegExp(`(?:${comment}\\s*)?^ +["']([^"'\\n]+)["']\\??: (.*)$`, 'gm');

export function readDeclaration(source: string): Declared {
  const head = type.exec(source);
  const body = head ? source.slice(head.index + head[0].length) : source.slice(source.search(/^export /m));
  const fields = new Map<string, { text: string; values: readonly string[] }>();
  for (const [, words = '', name = '', kind = ''] of body.matchAll(field)) {
    // A file may declare the type a second time, for its constructor.
    if (!fields.has(name)) fields.set(name, { text: plain(words), values: literals(kind) });
  }
  return { text: head?.[1] === undefined ? undefined : plain(head[1]), fields };
}

function literals(kind: string): readonly string[] {
  const list = /^(?:Array<)?("[^"]*"(?: \| "[^"]*")*)>?;$/.exec(kind)?.[1];
  return list ? [...list.matchAll(/"([^"]*)"/g)].map(([, value]) => value!) : [];
}

const plain = (words: string): string =>
  words
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
    .join('\n')
    .trim()
    .replaceAll(/\\(.)/g, '$1');
