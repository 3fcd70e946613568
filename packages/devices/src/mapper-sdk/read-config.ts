// A device's configuration as its driver's schema has it. People write `port: "502"` as readily as `port: 502`, and numbers
// pass DMI as floats: what can only mean one thing is taken. What cannot be used is said with its key and what is needed.
import { checkLayer, defaultsOf, type Schema } from '@kedge/core/config';
import { mapperErrors } from './sdk-errors.ts';

export type ConfigData = Readonly<Record<string, unknown>>;

/** Throws MAPPER_BAD_CONFIG. Keys that the schema does not have are left out. */
export function readConfig<T>(schema: Schema<T>, data: ConfigData, where: string): T {
  const properties = schema.properties ?? {};
  const layer: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(data)) {
    const name = keyIn(properties, key);
    if (name !== undefined) layer[name] = coerce(properties[name]!, value);
  }
  const { value, problems } = checkLayer(schema, layer);
  const all = problems.map(({ path, say }) => `${path} ${say}`);
  for (const [key, property] of Object.entries(properties)) {
    const missing = layer[key] === undefined || layer[key] === null;
    if (missing && (property as { 'x-required'?: boolean })['x-required']) {
      all.push(`${key} is not set${property.description ? `: ${property.description}` : ''}`);
    }
  }
  if (all.length > 0) throw mapperErrors.BAD_CONFIG({ where, problems: all });
  return { ...(defaultsOf(schema) as object), ...(value as object) } as T;
}

/** Go reads keys without regard to capitals. */
export const keyIn = (properties: Readonly<Record<string, unknown>>, key: string): string | undefined =>
  Object.hasOwn(properties, key)
    ? key
    : Object.keys(properties).find((name) => name.toLowerCase() === key.toLowerCase());

function coerce(schema: Schema, value: unknown): unknown {
  switch (schema.type) {
    case 'integer':
    case 'number':
      return typeof value === 'string' && /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value)
        ? Number(value)
        : value;
    case 'boolean':
      return value === 'true' ? true : value === 'false' ? false : value;
    case 'string': {
      const text = typeof value === 'number' || typeof value === 'boolean' ? String(value) : value;
      const meant = schema.enum?.find((one) => String(one).toLowerCase() === String(text).toLowerCase());
      return meant ?? text;
    }
    case 'array':
    case 'object':
      return typeof value === 'string' ? parsed(value) : value;
    default:
      return value;
  }
}

/** DMI carries plain values only: lists and groups come as JSON text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
