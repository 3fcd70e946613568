// Merges an applied configuration into an object: fields and list elements one by one where they have identities,
// leaves as a whole. The applied side decides values and the order of the elements it names.
import { fail } from '../k8s/index.ts';
import { formatPath } from './field-set.ts';
import { isObject } from './json-value.ts';
import type { Shape } from './shape.ts';
import { itemsOf, structureOf } from './structure.ts';
import type { Part } from './structure.ts';

/** The merged value; undefined on one side means that this side says nothing. */
export function mergeApplied(live: unknown, applied: unknown, shape: Shape | undefined): unknown {
  if (applied === undefined) return live;
  switch (structureOf(shape, live, applied)) {
    case 'leaf':
      return applied;
    case 'fields':
      return mergeFields(isObject(live) ? live : {}, isObject(applied) ? applied : {}, shape);
    case 'items':
      return mergeItems(itemsOf(live, shape), itemsOf(applied, shape));
  }
}

function mergeFields(live: object, applied: object, shape: Shape | undefined): unknown {
  const result = new Map<string, unknown>(Object.entries(live));
  for (const [name, value] of Object.entries(applied)) {
    result.set(name, mergeApplied(result.get(name), value, shape?.field(name)));
  }
  return Object.fromEntries(result);
}

/**
 * Elements only in the live list keep their place. Shared elements come in the applied order: one that the live list
 * has too early is skipped there and follows its turn.
 */
function mergeItems(live: readonly Part[], applied: readonly Part[]): unknown[] {
  const inLive = Map.groupBy(live, ({ element }) => element);
  const problem = applied.find((part) => part.problem)?.problem;
  if (problem) throw fail('BadRequest', problem);
  const inApplied = new Set(applied.map(({ element }) => element));
  if (inApplied.size < applied.length)
    throw fail('BadRequest', `duplicate entries for key ${formatPath([repeated(applied)])}`);

  const result: unknown[] = [];
  const shared = applied.filter(({ element }) => inLive.has(element));
  let next = 0;
  let nextShared = 0;
  const takeApplied = (): void => {
    const { element, value, shape } = applied[next]!;
    const known = inLive.get(element) ?? [];
    // Elements that occur twice cannot be merged with one; the applied one replaces them.
    result.push(mergeApplied(known.length === 1 ? known[0]!.value : undefined, value, shape));
    next += 1;
    if (known.length > 0) nextShared += 1;
  };
  for (const { element, value } of live) {
    if (!inApplied.has(element)) {
      result.push(value);
    } else if (element === shared[nextShared]?.element) {
      while (applied[next]!.element !== element) takeApplied();
      takeApplied();
    }
  }
  while (next < applied.length) takeApplied();
  return result;
}

function repeated(parts: readonly Part[]): string {
  const seen = new Set<string>();
  return parts.find(({ element }) => seen.size === seen.add(element).size)!.element;
}
