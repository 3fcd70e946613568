// How a value is structured for server-side apply: as one leaf, as fields, or as list elements with identities.
// Where the schema is silent the value decides: objects have fields, lists are leaves.
import { fieldElement, keyElement, valueElement } from './field-set.ts';
import { isObject } from './json-value.ts';
import type { JsonObject } from './json-value.ts';
import type { Shape } from './shape.ts';

export interface Part {
  readonly element: string;
  readonly value: unknown;
  readonly shape: Shape | undefined;
  /** A field that the schema names, as opposed to a key of a map or an element of a list. */
  readonly named: boolean;
  /** Why an element of a list has no identity of its own. */
  readonly problem?: string;
}

export type Structure = 'fields' | 'items' | 'leaf';

/** `a` and `b` are the values on both sides of a comparison; undefined where there is none. */
export function structureOf(shape: Shape | undefined, a: unknown, b: unknown): Structure {
  const type = shape?.type ?? typeOfValue(a ?? b);
  if ((type === 'object' || type === 'map') && !shape?.atomic) return fits(isObject, a, b) ? 'fields' : 'leaf';
  if (type === 'array' && shape && shape.list !== 'atomic') return fits(Array.isArray, a, b) ? 'items' : 'leaf';
  return 'leaf';
}

const typeOfValue = (value: unknown): Shape['type'] =>
  isObject(value) ? 'map' : Array.isArray(value) ? 'array' : 'scalar';

/** Null counts as empty; two empty values are a leaf, which keeps `{}`, `[]` and null apart. */
function fits(is: (value: unknown) => boolean, a: unknown, b: unknown): boolean {
  const isFit = (value: unknown): boolean => value === undefined || value === null || is(value);
  return isFit(a) && isFit(b) && (hasParts(a) || hasParts(b));
}

function hasParts(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return isObject(value) && Object.keys(value).length > 0;
}

export const fieldsOf = (value: unknown, shape: Shape | undefined): Part[] =>
  Object.entries(isObject(value) ? value : {}).map(([name, field]) => fieldPart(name, field, shape));

function fieldPart(name: string, value: unknown, shape: Shape | undefined): Part {
  const field = shape?.field(name);
  return { element: fieldElement(name), value, shape: field, named: shape?.type === 'object' && field !== undefined };
}

/**
 * The elements of a list with identities. One that has none goes by its position, so that ownership can be tracked through
 * an object that validation will refuse; applying it is refused with `problem`.
 */
export const itemsOf = (value: unknown, shape: Shape | undefined): Part[] =>
  (Array.isArray(value) ? value : []).map((item, at) => {
    const part = { value: item, shape: shape!.items, named: false };
    const problem = problemOf(item, shape!);
    return problem ? { ...part, element: `i:${at}`, problem } : { ...part, element: identify(item, shape!) };
  });

function problemOf(item: unknown, shape: Shape): string | undefined {
  if (shape.list === 'set') {
    return typeof item === 'object' ? 'a list of type set may only have scalar elements' : undefined;
  }
  if (!isObject(item)) return 'associative list with keys may not have non-map elements';
  const missing = shape.mapKeys.find((key) => keyOf(item, key, shape) === undefined);
  return missing === undefined
    ? undefined
    : `associative list with keys has an element that omits key field "${missing}" (and doesn't have default value)`;
}

const identify = (item: unknown, shape: Shape): string =>
  shape.list === 'set'
    ? valueElement(item)
    : keyElement(shape.mapKeys.map((key) => [key, keyOf(item as JsonObject, key, shape)] as const));

const keyOf = (item: JsonObject, key: string, shape: Shape): unknown =>
  item[key] ?? shape.items?.field(key)?.defaultValue;

export const partsOf = (structure: 'fields' | 'items', value: unknown, shape: Shape | undefined): Part[] =>
  structure === 'fields' ? fieldsOf(value, shape) : itemsOf(value, shape);
