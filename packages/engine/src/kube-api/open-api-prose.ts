// Puts words to a definition: what it and its fields mean, and the values that fields may have. Pure.
import type { Definition } from './definitions.ts';

/** What is said of each field, with its values where only some are allowed; of the definition itself under "". */
export type Prose = Readonly<Record<string, string | readonly [text: string, values: readonly string[]]>>;

/** Reads what is said of some definitions, by their names; of one that nothing is said of there is no entry. */
export type ReadProse = (names: readonly string[]) => Promise<Readonly<Record<string, Prose>>>;

export function describe(definition: Definition, prose: Prose, dialect: 'v2' | 'v3'): Definition {
  const own = prose[''];
  const properties = Object.entries((definition['properties'] ?? {}) as Readonly<Record<string, Definition>>).map(
    ([name, field]) => [name, describeField(field, prose[name], dialect)] as const,
  );
  return {
    ...(typeof own === 'string' ? { description: own } : {}),
    ...definition,
    ...(properties.length > 0 ? { properties: Object.fromEntries(properties) } : {}),
  };
}

function describeField(field: Definition, said: Prose[string] | undefined, dialect: 'v2' | 'v3'): Definition {
  const [text, values] = typeof said === 'string' ? [said] : (said ?? []);
  const words = text === undefined ? {} : { description: text };
  const described: Definition = { ...words, ...field, ...allowed(field, values) };
  const { $ref, ...rest } = described;
  // Beside a reference version 3 allows nothing; this is how Kubernetes says it there.
  if (dialect === 'v2' || $ref === undefined || Object.keys(rest).length === 0) return described;
  return { ...rest, allOf: [{ $ref }] };
}

/** Of a list it is the elements that are among the values. */
function allowed(field: Definition, values: readonly string[] | undefined): Definition {
  if (!values) return {};
  return field['type'] === 'array' ? { items: { ...(field['items'] as Definition), enum: values } } : { enum: values };
}
