// Merging of lists in a strategic merge patch: sets of scalars, and objects told apart by their merge key.
// The patch decides the order of what it names; the rest keeps the order it had, interleaved as well as can be.
import { fail } from '../k8s/index.ts';
import { isObject, jsonKey } from './json-value.ts';
import type { JsonObject } from './json-value.ts';
import type { Shape } from './shape.ts';

export interface ListMerge {
  readonly shape: Shape;
  /** From `$setElementOrder`; without it the patch's own order counts. */
  readonly order: readonly unknown[] | undefined;
  readonly mergeElement: (original: JsonObject, patch: JsonObject, shape: Shape | undefined) => JsonObject;
  /** Prepares an element that enters the list as new. */
  readonly clean: (value: unknown) => unknown;
}

export function mergeList(original: readonly unknown[], patch: readonly unknown[], how: ListMerge): unknown[] {
  const items = [...original, ...patch];
  if (items.some(Array.isArray)) throw fail('BadRequest', 'lists of lists are not supported');
  if (!items.some(isObject)) {
    const united = new Map(items.toReversed().map((item) => [jsonKey(item), item]));
    return reorderList([...united.values()].toReversed(), checkOrder(patch, how.order, undefined), original, undefined);
  }
  if (!items.every(isObject)) throw fail('BadRequest', 'list element types are not identical');
  return mergeObjects(original as JsonObject[], patch as JsonObject[], how);
}

function mergeObjects(original: readonly JsonObject[], patch: readonly JsonObject[], how: ListMerge): unknown[] {
  const { mergeKey } = how.shape;
  if (!mergeKey) throw fail('BadRequest', 'cannot merge lists of objects without a merge key');
  const plain = patch.filter((item) => item['$patch'] === undefined || item['$patch'] === 'merge');
  if (patch.some((item) => item['$patch'] === 'replace')) return plain.map(how.clean);

  const gone = patch.filter((item) => item['$patch'] === 'delete').map((item) => keyOf(item, mergeKey));
  const known = patch.length - plain.length - gone.length;
  if (known > 0) throw fail('BadRequest', 'unknown patch type in a list element, want "replace", "delete" or "merge"');

  const deleted = new Set(gone);
  const merged: JsonObject[] = original.filter((item) => !deleted.has(item[mergeKey]));
  const places = new Map(merged.map((item, at) => [item[mergeKey], at] as const).toReversed());
  for (const item of plain) {
    const key = keyOf(item, mergeKey);
    const at = places.get(key);
    if (at !== undefined) {
      merged[at] = how.mergeElement(merged[at]!, item, how.shape.items);
      continue;
    }
    places.set(key, merged.length);
    merged.push(how.clean(item) as JsonObject);
  }
  return reorderList(merged, checkOrder(plain, how.order, mergeKey), original, mergeKey);
}

function keyOf(item: unknown, mergeKey: string | undefined): unknown {
  if (!mergeKey) return item;
  const key = isObject(item) ? item[mergeKey] : undefined;
  if (key === undefined) {
    throw fail('BadRequest', `map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
  }
  return key;
}

/** The order to follow; one that contradicts the patch list means that the client computed the patch wrongly. */
function checkOrder(patch: readonly unknown[], order: readonly unknown[] | undefined, mergeKey: string | undefined) {
  if (order === undefined || order.length === 0) return patch;
  const keys = order.map((item) => keyOf(item, mergeKey));
  let from = 0;
  for (const item of patch) {
    const at = keys.indexOf(keyOf(item, mergeKey), from);
    // Ends at the first element that is out of place, so the search runs through the order once.
    if (at < 0) {
      throw fail(
        'BadRequest',
        `The order in patch list:\n${JSON.stringify(patch)}\n doesn't match $setElementOrder list:\n${JSON.stringify(order)}\n`,
      );
    }
    from = at + 1;
  }
  return order;
}

/** `list` with what `order` names in that order, and the rest placed by where it stood in `before`. */
export function reorderList(
  list: readonly unknown[],
  order: readonly unknown[],
  before: readonly unknown[],
  mergeKey: string | undefined,
): unknown[] {
  const rankIn = (items: readonly unknown[]) => {
    const ranks = new Map(items.map((item, at) => [keyOf(item, mergeKey), at] as const).toReversed());
    return (item: unknown): number => ranks.get(keyOf(item, mergeKey)) ?? -1;
  };
  const ordered = rankIn(order);
  const placed = rankIn(before);
  const named = list.filter((item) => ordered(item) >= 0).toSorted((a, b) => ordered(a) - ordered(b));
  const others = list.filter((item) => ordered(item) < 0).toSorted((a, b) => placed(a) - placed(b));

  const result: unknown[] = [];
  let [i, j] = [0, 0];
  while (i < named.length && j < others.length) {
    const [next, other] = [placed(named[i]), placed(others[j])];
    const stoodBefore = next >= 0 && other >= 0 && other < next;
    result.push(stoodBefore ? others[j++] : named[i++]);
  }
  return [...result, ...named.slice(i), ...others.slice(j)];
}
