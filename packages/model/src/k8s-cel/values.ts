// Values as CEL sees them: integers are bigint, objects with known fields are instances of a class per type, everything
// keyed is a Map. What is not JSON (times, quantities, addresses) compares by what it says.

import { isObject, type JsonObject } from '../k8s-patch/index.ts';

/** An object with known fields; `fields` of one type never mix with those of another. */
export class CelObject extends Map<string, unknown> {}

export const evaluationFailed = (message: string): Error => Object.assign(new Error(message), { isCelFailure: true });

export function deepEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'bigint' || typeof b === 'bigint')
    return (typeof a === 'number' || typeof b === 'number') && Number(a) === Number(b);
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, at) => deepEqual(item, b[at]));
  if (a instanceof Map) {
    if (a instanceof DynamicMap && b instanceof DynamicMap) return sameJson(a.json, b.json);
    if (!(b instanceof Map) || a.size !== b.size) return false;
    for (const [key, value] of a) if (!b.has(key) || !deepEqual(value, b.get(key))) return false;
    return true;
  }
  if (a.constructor !== b.constructor) return false;
  if ('equals' in a && typeof a.equals === 'function') return a.equals(b) === true;
  return a.constructor !== Object && a.valueOf() === b.valueOf();
}

const sizes = new WeakMap<object, number>();

/** How much there is to look at in a value: characters count a tenth, everything else one. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 1 + value.length / 10;
  if (typeof value !== 'object' || value === null) return 1;
  const known = sizes.get(value);
  if (known !== undefined) return known;
  let size = 1;
  if (Array.isArray(value)) for (const item of value) size += sizeOf(item);
  else if (value instanceof DynamicMap) size = sizeOfJson(value.json);
  else if (value instanceof Map) for (const item of value.values()) size += sizeOf(item) + 1;
  else if (value instanceof Uint8Array) size += value.length / 10;
  sizes.set(value, size);
  return size;
}

/** A JSON value without a schema: integers become int, objects maps. The value must not change afterwards. */
export function toDynamic(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toDynamic);
  return typeof value === 'object' && value !== null ? new DynamicMap(value as JsonObject) : value;
}

/** As `sizeOf` what `toDynamic` makes of it. */
function sizeOfJson(value: unknown): number {
  if (typeof value === 'string') return 1 + value.length / 10;
  if (typeof value !== 'object' || value === null) return 1;
  let size = 1;
  if (Array.isArray(value)) for (const item of value) size += sizeOfJson(item);
  else
    for (const key of Object.keys(value)) {
      const field = (value as JsonObject)[key];
      if (field !== undefined) size += sizeOfJson(field) + 1;
    }
  return size;
}

/** As `deepEqual` of what `toDynamic` makes of them. */
function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, at) => sameJson(item, b[at]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  for (const key of Object.keys(a)) {
    if (a[key] !== undefined && !(Object.hasOwn(b, key) && sameJson(a[key], b[key]))) return false;
  }
  return Object.keys(b).every((key) => b[key] === undefined || (Object.hasOwn(a, key) && a[key] !== undefined));
}

/**
 * A JSON object as a map that is filled when somebody looks: an expression that compares one field of an object does not pay for
 * all the others. To CEL it is a Map as any other.
 */
class DynamicMap extends Map<string, unknown> {
  readonly json: JsonObject;
  #isWhole = false;

  constructor(json: JsonObject) {
    super();
    this.json = json;
  }

  override get(key: string): unknown {
    if (this.#isWhole || super.has(key)) return super.get(key);
    if (!this.has(key)) return undefined;
    const value = toDynamic(this.json[key]);
    super.set(key, value);
    return value;
  }

  override has(key: string): boolean {
    return this.#isWhole ? super.has(key) : Object.hasOwn(this.json, key) && this.json[key] !== undefined;
  }

  override get size(): number {
    return this.#whole(() => super.size);
  }

  override keys(): MapIterator<string> {
    return this.#whole(() => super.keys());
  }

  override values(): MapIterator<unknown> {
    return this.#whole(() => super.values());
  }

  override entries(): MapIterator<[string, unknown]> {
    return this.#whole(() => super.entries());
  }

  override [Symbol.iterator](): MapIterator<[string, unknown]> {
    return this.entries();
  }

  override forEach(act: (value: unknown, key: string, map: Map<string, unknown>) => void): void {
    for (const [key, value] of this.entries()) act(value, key, this);
  }

  /** All fields, in the order of the object. */
  #whole<T>(read: () => T): T {
    if (!this.#isWhole) {
      const known = new Map(super.entries());
      super.clear();
      for (const key of Object.keys(this.json)) {
        if (this.json[key] !== undefined) super.set(key, known.get(key) ?? toDynamic(this.json[key]));
      }
      this.#isWhole = true;
    }
    return read();
  }
}

/** The library tells types by constructor. */
Object.defineProperty(DynamicMap.prototype, 'constructor', { value: Map });
