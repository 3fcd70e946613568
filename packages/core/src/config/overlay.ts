// Laying one layer of a configuration over another.
import type { Schema } from './schema.ts';

/** Objects of the schema are joined key by key; lists, maps and single values of the upper layer replace the lower's. */
export function overlay(schema: Schema, lower: unknown, upper: unknown): unknown {
  if (upper === undefined) return lower;
  if (!schema.properties || lower === undefined) return upper;
  const joined: Record<string, unknown> = { ...(lower as Record<string, unknown>) };
  for (const [key, value] of Object.entries(upper as Record<string, unknown>)) {
    joined[key] = overlay(schema.properties[key]!, joined[key], value);
  }
  return joined;
}
