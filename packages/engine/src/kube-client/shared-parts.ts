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
    return Object.fromEntries(Object.entries(value).map(([field, inner]) => [field, this.#shared(inner)])) as T;
  }

  #shared(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    const copy = Array.isArray(value) ? value.map((item) => this.#shared(item)) : this.#shareFields(value);
    const key = this.#keyOf(copy);
    if (key === undefined) return copy;
    const known = this.#parts.get(key);
    if (known) return known;
    if (this.#parts.size >= maxParts) this.#parts.clear();
    this.#parts.set(key, copy);
    this.#ids.set(copy, ++this.#lastId);
    return copy;
  }

  /** A text that equal values have in common; undefined when something in it is not shared itself. */
  #keyOf(value: object): string | undefined {
    let key = Array.isArray(value) ? '[' : '{';
    for (const [field, inner] of Object.entries(value)) {
      if (typeof inner === 'object' && inner !== null) {
        const id = this.#ids.get(inner);
        if (id === undefined) return undefined;
        key += `${JSON.stringify(field)}#${id},`;
      } else {
        if (typeof inner === 'string' && inner.length > maxText) return undefined;
        key += `${JSON.stringify(field)}:${JSON.stringify(inner)},`;
      }
    }
    return key;
  }
}
