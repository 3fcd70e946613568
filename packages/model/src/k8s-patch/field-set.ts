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

/** `a` itself when `b` adds nothing. */
export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a.size === 0 || b.size === 0) return a.size === 0 ? b : a;
  let result: Map<string, FieldNode> | undefined;
  for (const [element, node] of b) {
    const known = a.get(element);
    const member = node.member || known?.member === true;
    const below = known ? union(known.below, node.below) : node.below;
    if (known?.member === member && known.below === below) continue;
    (result ??= new Map(a)).set(element, { member, below });
  }
  return result ?? a;
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const result = new Map<string, FieldNode>();
  for (const [element, node] of a) {
    const other = b.get(element);
    if (!other) continue;
    const member = node.member && other.member;
    const below = intersection(node.below, other.below);
    if (member || below.size > 0) result.set(element, { member, below });
  }
  return result;
}

/** `a` without the members of `b`; `a` itself when there is none of them in it. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  let result: Map<string, FieldNode> | undefined;
  for (const [element, other] of b) {
    const node = a.get(element);
    if (!node) continue;
    const member = node.member && !other.member;
    const below = difference(node.below, other.below);
    if (member === node.member && below === node.below) continue;
    result ??= new Map(a);
    if (member || below.size > 0) result.set(element, { member, below });
    else result.delete(element);
  }
  return result ?? a;
}

/** `a` without the members of `b` and everything below them. */
export function without(a: FieldSet, b: FieldSet): FieldSet {
  if (a.size === 0 || b.size === 0) return a;
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

/** Of sets that were read from what this module wrote. */
const storedForms = new WeakMap<FieldSet, JsonObject>();

/** The stored form. A node with something below says `.` when it is itself a member. */
export function encodeFieldSet(set: FieldSet): JsonObject {
  const stored = storedForms.get(set);
  if (stored) return stored;
  return Object.fromEntries(
    sortedNodes(set).map(([element, { member, below }]) => [
      element,
      { ...(member && below.size > 0 ? { '.': {} } : {}), ...encodeFieldSet(below) },
    ]),
  );
}

/** As `decodeFieldSet`, of what `encodeFieldSet` made: a set that stays as it is need not be encoded again. */
export function decodeStored(fields: unknown): FieldSet | undefined {
  const set = decodeFieldSet(fields);
  if (set && set.size > 0) storedForms.set(set, fields as JsonObject);
  return set;
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
