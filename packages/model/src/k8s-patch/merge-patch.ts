// JSON merge patch (RFC 7386): objects merge, null removes, everything else replaces.
import { isObject, jsonCopy, setField } from './json-value.ts';

/** The patched value; neither argument is changed. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return jsonCopy(patch);
  const before = isObject(target) ? target : {};
  const result: Record<string, unknown> = {};
  for (const key of Object.keys(before)) {
    const value = Object.hasOwn(patch, key) ? patch[key] : undefined;
    if (value === null) continue;
    setField(result, key, value === undefined ? before[key] : mergePatch(before[key], value));
  }
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value !== null && !Object.hasOwn(before, key)) setField(result, key, mergePatch(undefined, value));
  }
  return result;
}
