// Values as CEL sees them: integers are bigint, objects with known fields are instances of a class per type, everything
// keyed is a Map. What is not JSON (times, quantities, addresses) compares by what it says.

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
  else if (value instanceof Map) for (const item of value.values()) size += sizeOf(item) + 1;
  else if (value instanceof Uint8Array) size += value.length / 10;
  sizes.set(value, size);
  return size;
}

/** A JSON value without a schema: integers become int, objects maps. */
export function toDynamic(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(toDynamic);
  if (typeof value === 'object' && value !== null) {
    return new Map(
      Object.entries(value)
        .filter(([, field]) => field !== undefined)
        .map(([name, field]) => [name, toDynamic(field)]),
    );
  }
  return value;
}
