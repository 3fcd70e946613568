// Sets of field paths, as `metadata.managedFields` stores them (FieldsV1). A path is a list of elements in their stored
// spelling: `f:spec` a field, `k:{"name":"web"}` a list element by its keys, `v:"x"` a member of a set.
import { isObject } from './json-value.ts';
import type { JsonObject } from './json-value.ts';

export interface FieldNode {
  /** Whether the path that ends here is in the set, apart from what is below. */
  readonly member: boolean;
  readonly below: FieldSet;
}

/** Immutable. Holds no node that is neither a member nor has something below. */
export type FieldSet = ReadonlyMap<string, FieldNode>;

export const emptySet: FieldSet = new Map();

/** Elements of a path: a field, a list element by key, a value in a set. */
export const fieldElement = (name: string): string => `f:${name}`;
export const valueElement = (value: unknown): string => `v:${JSON.stringify(value)}`;
export const keyElement = (keys: readonly (readonly [string, unknown])[]): string =>
  `k:${JSON.stringify(Object.fromEntries(keys.toSorted(([a], [b]) => (a < b ? -1 : 1))))}`;

function combine(a: FieldSet, b: FieldSet, keep: (inA: boolean, inB: boolean) => boolean): FieldSet {
  const result = new Map<string, FieldNode>();
  for (const element of new Set([...a.keys(), ...b.keys()])) {
    const [x, y] = [a.get(element), b.get(element)];
    const member = keep(x?.member ?? false, y?.member ?? false);
    const below = combine(x?.below ?? emptySet, y?.below ?? emptySet, keep);
    if (member || below.size > 0) result.set(element, { member, below });
  }
  return result;
}

export const union = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA || inB);
export const intersection = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA && inB);
export const difference = (a: FieldSet, b: FieldSet): FieldSet => combine(a, b, (inA, inB) => inA && !inB);

/** `a` without the members of `b` and everything below them. */
export function without(a: FieldSet, b: FieldSet): FieldSet {
  const result = new Map<string, FieldNode>();
  for (const [element, node] of a) {
    const other = b.get(element);
    if (other?.member) continue;
    const below = other ? without(node.below, other.below) : node.below;
    if (node.member || below.size > 0) result.set(element, { member: node.member, below });
  }
  return result;
}

/** The set of one path. */
export function setOfPath(path: readonly string[]): FieldSet {
  const [first, ...rest] = path;
  return first === undefined ? emptySet : new Map([[first, { member: rest.length === 0, below: setOfPath(rest) }]]);
}

export const setOfPaths = (...paths: readonly (readonly string[])[]): FieldSet =>
  paths.reduce<FieldSet>((set, path) => union(set, setOfPath(path)), emptySet);

/** The set of fields given as dotted names: `status`, `metadata.labels`. */
export const setOfFields = (...fields: readonly string[]): FieldSet =>
  setOfPaths(...fields.map((field) => field.split('.').map(fieldElement)));

/** Every path of the set, in the order it is stored in. */
export function pathsOf(set: FieldSet, prefix: readonly string[] = []): string[][] {
  return sortedNodes(set).flatMap(([element, { member, below }]) => {
    const path = [...prefix, element];
    return [...(member ? [path] : []), ...pathsOf(below, path)];
  });
}

/** `.spec.containers[name="web"].image`, as conflicts name a field. */
export const formatPath = (path: readonly string[]): string => path.map(formatElement).join('');

function formatElement(element: string): string {
  const text = element.slice(2);
  if (element.startsWith('f:')) return `.${text}`;
  if (!element.startsWith('k:')) return `[${element.startsWith('v:') ? '=' : ''}${text}]`;
  const keys = Object.entries(JSON.parse(text) as JsonObject);
  return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
}

const elementOrder = 'fkvi';
const sortedNodes = (set: FieldSet): [string, FieldNode][] =>
  [...set].toSorted(
    ([a], [b]) => elementOrder.indexOf(a[0]!) - elementOrder.indexOf(b[0]!) || (a < b ? -1 : a > b ? 1 : 0),
  );

/** The stored form. A node with something below says `.` when it is itself a member. */
export function encodeFieldSet(set: FieldSet): Record<string, unknown> {
  return Object.fromEntries(
    sortedNodes(set).map(([element, { member, below }]) => [
      element,
      { ...(member && below.size > 0 ? { '.': {} } : {}), ...encodeFieldSet(below) },
    ]),
  );
}

const maxDepth = 100;

/** Reads the stored form; undefined when it is malformed, since clients may write anything there. */
export function decodeFieldSet(fields: unknown, depth = 0): FieldSet | undefined {
  if (!isObject(fields) || depth > maxDepth) return undefined;
  const result = new Map<string, FieldNode>();
  for (const [element, value] of Object.entries(fields)) {
    if (element === '.') continue;
    const below = isElement(element) ? decodeFieldSet(value, depth + 1) : undefined;
    if (!below) return undefined;
    const member = below.size === 0 || (isObject(value) && '.' in value);
    result.set(isKey(element) ? canonicalKey(element) : element, { member, below });
  }
  return result;
}

const isKey = (element: string): boolean => element.startsWith('k:');
const canonicalKey = (element: string): string =>
  keyElement(Object.entries(JSON.parse(element.slice(2)) as JsonObject));

function isElement(element: string): boolean {
  if (/^(?:f:|i:\d+$)/.test(element)) return true;
  if (!/^[kv]:/.test(element)) return false;
  try {
    const value: unknown = JSON.parse(element.slice(2));
    return !isKey(element) || isObject(value);
  } catch {
    return false;
  }
}
