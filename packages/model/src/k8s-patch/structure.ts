// How a value is structured for server-side apply: as one leaf, as fields, or as list elements with identities.
// Where the schema is silent the value decides: objects have fields, lists are leaves.
import { fail } from '../k8s/index.ts';
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
  const present = [a, b].filter((value) => value !== undefined && value !== null);
  return present.every(is) && present.some((value) => Object.keys(value as object).length > 0);
}

export const fieldsOf = (value: unknown, shape: Shape | undefined): Part[] =>
  Object.entries(isObject(value) ? value : {}).map(([name, field]) => fieldPart(name, field, shape));

function fieldPart(name: string, value: unknown, shape: Shape | undefined): Part {
  const field = shape?.field(name);
  return { element: fieldElement(name), value, shape: field, named: shape?.type === 'object' && field !== undefined };
}

/** The elements of a list with identities; throws a StatusError (BadRequest) for one that has none. */
export const itemsOf = (value: unknown, shape: Shape | undefined): Part[] =>
  (Array.isArray(value) ? value : []).map((item) => ({
    element: identify(item, shape!),
    value: item,
    shape: shape!.items,
    named: false,
  }));

function identify(item: unknown, shape: Shape): string {
  if (shape.list === 'set') {
    if (typeof item === 'object') throw fail('BadRequest', 'a list of type set may only have scalar elements');
    return valueElement(item);
  }
  if (!isObject(item)) throw fail('BadRequest', 'associative list with keys may not have non-map elements');
  return keyElement(shape.mapKeys.map((key) => [key, keyOf(item, key, shape)] as const));
}

function keyOf(item: JsonObject, key: string, shape: Shape): unknown {
  const value = item[key] ?? shape.items?.field(key)?.defaultValue;
  if (value === undefined) {
    throw fail(
      'BadRequest',
      `associative list with keys has an element that omits key field "${key}" (and doesn't have default value)`,
    );
  }
  return value;
}

export const partsOf = (structure: 'fields' | 'items', value: unknown, shape: Shape | undefined): Part[] =>
  structure === 'fields' ? fieldsOf(value, shape) : itemsOf(value, shape);
