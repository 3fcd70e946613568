// The set of fields that a value specifies, and how two values differ, as sets of fields.
import { emptySet, fieldElement } from './field-set.ts';
import type { FieldNode, FieldSet } from './field-set.ts';
import { isObject, jsonEqual } from './json-value.ts';
import type { JsonObject } from './json-value.ts';
import type { Shape } from './shape.ts';
import { partsOf, structureOf } from './structure.ts';
import type { Part } from './structure.ts';

/** What an applied configuration specifies. Elements that occur twice are owned as a whole. */
export function fieldsSpecified(value: unknown, shape: Shape | undefined): FieldSet {
  const structure = structureOf(shape, value, undefined);
  if (structure === 'leaf') return emptySet;
  const result = new Map<string, FieldNode>();
  for (const part of partsOf(structure, value, shape)) {
    const isLeaf = structureOf(part.shape, part.value, undefined) === 'leaf';
    const isOwn = isLeaf || !part.named || part.value === null;
    const below = result.has(part.element) ? emptySet : fieldsSpecified(part.value, part.shape);
    // A granular list that is empty specifies nothing; an empty object does.
    const isNothing = isLeaf && part.named && Array.isArray(part.value) && isGranular(part.shape);
    const member = isOwn || result.has(part.element);
    if (!isNothing && (member || below.size > 0)) result.set(part.element, { member, below });
  }
  return result;
}

const isGranular = (shape: Shape | undefined): boolean => shape?.type === 'array' && shape.list !== 'atomic';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** How `after` differs from `before`. */
export function compareValues(before: unknown, after: unknown, shape: Shape | undefined): Comparison {
  const found = nothingFound();
  compareParts(before, after, shape, found);
  return found;
}

type Found = { readonly [K in keyof Comparison]: Map<string, FieldNode> };

const nothingFound = (): Found => ({ added: new Map(), modified: new Map(), removed: new Map() });
const changes = ['added', 'modified', 'removed'] as const;

function compareParts(before: unknown, after: unknown, shape: Shape | undefined, found: Found): void {
  const structure = structureOf(shape, before, after);
  if (structure === 'leaf') return;
  if (structure === 'fields') return compareFields(asFields(before), asFields(after), shape, found);
  const old = indexParts(partsOf(structure, before, shape));
  const current = indexParts(partsOf(structure, after, shape));
  for (const element of new Set([...old.keys(), ...current.keys()])) {
    compareElement(element, old.get(element) ?? [], current.get(element) ?? [], found);
  }
}

const none: JsonObject = {};
const asFields = (value: unknown): JsonObject => (isObject(value) ? value : none);

function compareFields(before: JsonObject, after: JsonObject, shape: Shape | undefined, found: Found): void {
  for (const name of Object.keys(before)) {
    compareField(name, before[name], Object.hasOwn(after, name) ? after[name] : undefined, shape, found);
  }
  for (const name of Object.keys(after)) {
    if (!Object.hasOwn(before, name)) compareField(name, undefined, after[name], shape, found);
  }
}

/** Most fields are as they were: nothing is made for those. */
function compareField(name: string, a: unknown, b: unknown, shape: Shape | undefined, found: Found): void {
  if (jsonEqual(a, b)) return;
  const field = shape?.field(name);
  const own = a === undefined ? 'added' : b === undefined ? 'removed' : undefined;
  const element = fieldElement(name);
  if (structureOf(field, a, b) === 'leaf') {
    found[own ?? 'modified'].set(element, { member: true, below: emptySet });
    return;
  }
  const below = nothingFound();
  compareParts(a, b, field, below);
  for (const change of changes) {
    const member = change === own;
    if (member || below[change].size > 0) found[change].set(element, { member, below: below[change] });
  }
}

/** Elements that occur twice are legal in stored objects; they are compared as one. */
function indexParts(parts: readonly Part[]): Map<string, Part[]> {
  return Map.groupBy(parts, ({ element }) => element);
}

function compareElement(element: string, before: readonly Part[], after: readonly Part[], found: Found): void {
  const [a, b] = [asOne(before), asOne(after)];
  const below = nothingFound();
  const shape = (before[0] ?? after[0])!.shape;
  const isLeaf = before.length > 1 || after.length > 1 || structureOf(shape, a, b) === 'leaf';
  if (!isLeaf) compareParts(a, b, shape, below);
  const member = {
    added: a === undefined,
    removed: b === undefined,
    modified: isLeaf && a !== undefined && b !== undefined && !jsonEqual(a, b),
  };
  for (const kind of changes) {
    if (member[kind] || below[kind].size > 0) found[kind].set(element, { member: member[kind], below: below[kind] });
  }
}

const asOne = (parts: readonly Part[]): unknown =>
  parts.length > 1 ? parts.map(({ value }) => value) : parts[0]?.value;

/** The set with every named field above a member made a member too, so that removing all of its parts removes it. */
export function withParents(set: FieldSet, shape: Shape | undefined): FieldSet {
  return new Map(
    [...set].map(([element, { member, below }]) => {
      const isField = element.startsWith('f:');
      const field = isField ? shape?.field(element.slice(2)) : shape?.items;
      const named = isField && shape?.type === 'object' && field !== undefined;
      return [element, { member: member || named, below: withParents(below, field) }];
    }),
  );
}

/** `value` without the fields of the set; undefined when nothing is left. */
export function removeFields(value: unknown, set: FieldSet, shape: Shape | undefined): unknown {
  const structure = structureOf(shape, value, undefined);
  if (structure === 'leaf') return undefined;
  const kept = partsOf(structure, value, shape).flatMap((part): [string, unknown][] => {
    const node = set.get(part.element);
    if (node?.member) return [];
    const rest = node ? removeFields(part.value, node.below, part.shape) : part.value;
    return rest === undefined ? [] : [[part.element.slice(2), rest]];
  });
  if (kept.length === 0) return undefined;
  return isObject(value) ? Object.fromEntries(kept) : kept.map(([, item]) => item);
}
