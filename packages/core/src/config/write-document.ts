// Writes a configuration document as YAML with the descriptions of its keys, for `--defaultconfig` and `--minconfig`.
import type { Schema } from './schema.ts';

/** `head` becomes comments at the top. Keys without effect are left out. */
export function writeDocument(schema: Schema, document: unknown, head: string): string {
  const comments = head.split('\n').map((line) => `# ${line}`);
  return `${[...comments, ...writeKeys(schema, document as Record<string, unknown>, '')].join('\n')}\n`;
}

function writeKeys(schema: Schema, values: Readonly<Record<string, unknown>>, indent: string): string[] {
  return Object.entries(values).flatMap(([key, value]) => {
    const property = schema.properties?.[key] ?? (schema.additionalProperties || undefined);
    if (value === undefined || !property || property['x-unused']) return [];
    const comment = property.description === undefined ? [] : [`${indent}# ${property.description}`];
    return [...comment, ...writeValue(`${indent}${scalar(key)}:`, property, value, indent)];
  });
}

function writeValue(start: string, schema: Schema, value: unknown, indent: string): string[] {
  if (Array.isArray(value)) {
    if (value.length === 0) return [`${start} []`];
    return [start, ...value.flatMap((item) => writeItem(schema.items!, item, indent))];
  }
  if (typeof value === 'object' && value !== null) {
    const lines = writeKeys(schema, value as Record<string, unknown>, `${indent}  `);
    return lines.length === 0 ? [`${start} {}`] : [start, ...lines];
  }
  return [`${start} ${scalar(value)}`];
}

function writeItem(schema: Schema, item: unknown, indent: string): string[] {
  if (typeof item !== 'object' || item === null) return [`${indent}- ${scalar(item)}`];
  const [first = '{}', ...rest] = writeKeys(schema, item as Record<string, unknown>, `${indent}  `);
  return [`${indent}- ${first.trimStart()}`, ...rest];
}

/** Plain where every reader takes it for the same text, in quotes otherwise. */
function scalar(value: unknown): string {
  if (typeof value !== 'string') return String(value);
  const plain = /^[A-Za-z/][A-Za-z0-9_./-]*(?::[A-Za-z0-9_./-]+)*$/.test(value);
  const word = /^(?:y|n|yes|no|on|off|true|false|null)$/i.test(value);
  return plain && !word ? value : JSON.stringify(value);
}
