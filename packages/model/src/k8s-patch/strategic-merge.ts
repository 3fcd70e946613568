// Strategic merge patch: a merge patch that merges lists by key where the schema says so, with directives for what a
// merge alone cannot say. Where Kubernetes drops content because a directive has nothing to act on, we keep the content.
import { fail } from '../k8s/index.ts';
import { isObject, jsonKey } from './json-value.ts';
import type { JsonObject } from './json-value.ts';
import { mergeList, reorderList } from './strategic-list.ts';
import type { Shape } from './shape.ts';

const orderPrefix = '$setElementOrder/';
const deletePrefix = '$deleteFromPrimitiveList/';

const isDirective = (key: string): boolean =>
  key === '$patch' || key === '$retainKeys' || key.startsWith(orderPrefix) || key.startsWith(deletePrefix);

/**
 * The patched object; neither argument is changed. Without a shape every list is replaced, as for a custom resource.
 * A malformed patch throws a StatusError (BadRequest).
 */
export function strategicMerge(original: JsonObject, patch: JsonObject, shape: Shape | undefined): JsonObject {
  const directive = patch['$patch'];
  if (directive === 'replace') return strip(patch);
  if (directive === 'delete') return {};
  if (directive !== undefined && directive !== 'merge') throw unknownDirective(directive);

  const result = new Map(Object.entries(retained(original, patch)));
  const orders = listsUnder(orderPrefix, patch, 'setElementOrder list');
  for (const [key, value] of Object.entries(patch)) {
    if (isDirective(key)) continue;
    const merged = mergeField(result.get(key), value, shape?.field(key), orders.get(key));
    if (merged === undefined) result.delete(key);
    else result.set(key, merged);
  }
  for (const [key, order] of orders) {
    const list = result.get(key);
    if (Array.isArray(list) && !Object.hasOwn(patch, key))
      result.set(key, reorderList(list, order, list, shape?.field(key)?.mergeKey));
  }
  for (const [key, gone] of listsUnder(deletePrefix, patch, 'primitive list')) {
    const list = result.get(key);
    const keys = new Set(gone.map(jsonKey));
    if (Array.isArray(list))
      result.set(
        key,
        list.filter((item) => !keys.has(jsonKey(item))),
      );
  }
  return Object.fromEntries(result);
}

/** The new value of a field; undefined removes it. */
function mergeField(current: unknown, value: unknown, shape: Shape | undefined, order: readonly unknown[] | undefined) {
  if (value === null) return undefined;
  if (shape?.strategies.includes('replace')) return clean(value);
  if (isObject(current) && isObject(value)) return strategicMerge(current, value, shape);
  if (Array.isArray(current) && Array.isArray(value) && shape?.strategies.includes('merge')) {
    return mergeList(current, value, { shape, order, mergeElement: strategicMerge, clean });
  }
  return clean(value);
}

/** What `$retainKeys` leaves of the original. */
function retained(original: JsonObject, patch: JsonObject): JsonObject {
  const keys = patch['$retainKeys'];
  if (keys === undefined) return original;
  if (!Array.isArray(keys)) throw fail('BadRequest', 'invalid patch format of retainKeys');
  const stray = Object.entries(patch).find(
    ([key, value]) => value !== null && !isDirective(key) && !keys.includes(key),
  );
  if (stray) throw fail('BadRequest', `invalid patch format of retainKeys: "${stray[0]}" is set but not listed`);
  return Object.fromEntries(Object.entries(original).filter(([key]) => keys.includes(key)));
}

function listsUnder(prefix: string, patch: JsonObject, what: string): Map<string, readonly unknown[]> {
  const lists = new Map<string, readonly unknown[]>();
  for (const [key, value] of Object.entries(patch)) {
    if (!key.startsWith(prefix)) continue;
    if (!Array.isArray(value)) throw fail('BadRequest', `invalid patch format of ${what}`);
    lists.set(key.slice(prefix.length), value);
  }
  return lists;
}

const unknownDirective = (directive: unknown) =>
  fail('BadRequest', `unknown patch type: ${JSON.stringify(directive)}, want "replace", "delete" or "merge"`);

/** A value that enters the object as new: without directives, without nulls; undefined when it asks for a deletion. */
function clean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clean).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  return value['$patch'] === 'delete' ? undefined : strip(value);
}

function strip(object: JsonObject): JsonObject {
  const kept = Object.entries(object)
    .filter(([key, value]) => value !== null && !isDirective(key))
    .map(([key, value]) => [key, clean(value)] as const);
  return Object.fromEntries(kept.filter(([, value]) => value !== undefined));
}
