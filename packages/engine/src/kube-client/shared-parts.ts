// Keeps one instance of parts that many objects have in common. Ten thousand pods differ in little but their names:
// sharing their containers, tolerations and conditions takes a third of the memory.
import type { KubeObject } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';

/** Beyond this the table is dropped and fills anew; what is shared already stays shared. */
const maxParts = 8_192;
/** Longer texts are data rather than structure, and hardly ever alike. */
const maxText = 256;

export class SharedParts {
  readonly #parts = new Map<string, object>();
  /** Numbers of shared parts, so that the key of a whole is short. */
  readonly #ids = new WeakMap<object, number>();
  #lastId = 0;

  /** An equal object made of shared parts; `before` is its former version, most of which is usually the same. */
  share(object: KubeObject, before: KubeObject | undefined): KubeObject {
    const kept = Object.entries(object).map(([field, value]): [string, unknown] => {
      if (before && jsonEqual(before[field], value)) return [field, before[field]];
      return [field, field === 'metadata' ? this.#shareFields(object.metadata) : this.#shared(value)];
    });
    return Object.fromEntries(kept) as KubeObject;
  }

  /** The fields of something that is itself unlike any other. */
  #shareFields<T extends object>(value: T): T {
    const fields = Object.keys(value);
    return withFields(
      fields,
      fields.map((field) => this.#shared(value[field as keyof T])),
    ) as T;
  }

  #shared(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const isList = Array.isArray(value);
    const fields = Object.keys(value);
    const inner: unknown[] = [];
    // What is known is found by its key, before anything is made.
    let key: string | undefined = isList ? '[' : '{';
    for (const field of fields) {
      const part = this.#shared((value as Record<string, unknown>)[field]);
      inner.push(part);
      if (key !== undefined) key = this.#longer(key, field, part);
    }
    const known = key === undefined ? undefined : this.#parts.get(key);
    if (known) return known;
    const copy = isList ? inner : withFields(fields, inner);
    if (key === undefined) return copy;
    if (this.#parts.size >= maxParts) this.#parts.clear();
    this.#parts.set(key, copy);
    this.#ids.set(copy, ++this.#lastId);
    return copy;
  }

  /** A text that equal values have in common; undefined when the part is not shared itself. */
  #longer(key: string, field: string, part: unknown): string | undefined {
    const start = `${key}${field.length}:${field}`;
    if (typeof part === 'string') return part.length > maxText ? undefined : `${start}"${part.length}:${part}`;
    if (typeof part !== 'object' || part === null) return `${start}=${String(part)},`;
    const id = this.#ids.get(part);
    return id === undefined ? undefined : `${start}#${id},`;
  }
}

/** Also a field called `__proto__` is a field. */
function withFields(fields: readonly string[], values: readonly unknown[]): object {
  const made: Record<string, unknown> = {};
  for (const [at, field] of fields.entries()) {
    if (field === '__proto__') Object.defineProperty(made, field, { value: values[at], ...ordinary });
    else made[field] = values[at];
  }
  return made;
}

const ordinary = { writable: true, enumerable: true, configurable: true };
