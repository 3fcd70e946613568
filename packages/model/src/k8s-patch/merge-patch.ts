// JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces.
import { isObject, jsonCopy } from './json-value.ts';

/** The patched value; neither argument is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return jsonCopy(patch);
  const result = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) result.delete(key);
    else result.set(key, mergePatch(result.get(key), value));
  }
  return Object.fromEntries(result);
}
