// Reading the short arrays of the dense form. They come from strangers: every element is checked, none is trusted.
import type { KubeObject } from '@kedge/model/k8s';
import type { DeviceName, MessageId, ObjectRef } from '@kedge/model/messages';
import { messageId } from '@kedge/model/messages';
import { isKubeObject } from './content.ts';
import { isDeviceName } from './device-content.ts';
import { isPlainObject } from './envelope.ts';
import { hubPeerErrors } from './hub-peer-errors.ts';

const bad = (field: string, expected: string) => hubPeerErrors.BAD_ENVELOPE({ field: `dense ${field}`, expected });

export interface TupleReader {
  readonly code: number;
  readonly length: number;
  text(at: number): string;
  number(at: number): number;
  flag(at: number): boolean;
  /** An id of this connection: a small number, as text inside. */
  id(at: number): MessageId;
  ref(at: number): ObjectRef;
  /** Two elements: namespace and name. */
  device(at: number): DeviceName;
  list(at: number): readonly unknown[];
  object(at: number): KubeObject;
  document(at: number): Record<string, unknown>;
  /** A patch: travels as a document, means text. */
  patch(at: number): string;
  any(at: number): unknown;
}

export function readTuple(tuple: unknown): TupleReader {
  if (!Array.isArray(tuple) || !Number.isInteger(tuple[0])) throw bad('message', 'a list that begins with a code');
  const items = tuple as unknown[];
  const reader: TupleReader = {
    code: items[0] as number,
    length: items.length,
    any: (at) => items[at],
    text(at) {
      const value = items[at];
      if (typeof value !== 'string') throw bad(`element ${at}`, 'text');
      return value;
    },
    number(at) {
      const value = items[at];
      if (!Number.isSafeInteger(value)) throw bad(`element ${at}`, 'a whole number');
      return value as number;
    },
    flag: (at) => reader.number(at) !== 0,
    id: (at) => messageId(String(reader.number(at))),
    ref(at) {
      const value = items[at];
      if (!Array.isArray(value)) throw bad(`element ${at}`, 'an address');
      const [type, name, namespace] = value as unknown[];
      if (typeof type !== 'string' || typeof name !== 'string') throw bad(`element ${at}`, 'an address');
      if (namespace !== undefined && typeof namespace !== 'string') throw bad(`element ${at}`, 'an address');
      return { type, namespace, name };
    },
    device(at) {
      const device = { namespace: reader.text(at), name: reader.text(at + 1) };
      if (!isDeviceName(device)) throw bad(`element ${at}`, 'a device');
      return device;
    },
    list(at) {
      const value = items[at];
      if (!Array.isArray(value)) throw bad(`element ${at}`, 'a list');
      return value as unknown[];
    },
    object(at) {
      const value = items[at];
      if (!isKubeObject(value)) throw bad(`element ${at}`, 'a Kubernetes object');
      return value;
    },
    document(at) {
      const value = items[at];
      if (!isPlainObject(value)) throw bad(`element ${at}`, 'an object');
      return value;
    },
    patch: (at) => (typeof items[at] === 'string' ? items[at] : JSON.stringify(reader.document(at))),
  };
  return reader;
}

export const writeRef = ({ type, namespace, name }: ObjectRef): string[] =>
  namespace === undefined ? [type, name] : [type, name, namespace];

/** As a document where it is one, which saves the escapes. */
export function writePatch(patch: string): unknown {
  try {
    const document: unknown = JSON.parse(patch);
    return isPlainObject(document) ? document : patch;
  } catch {
    return patch;
  }
}

/** A peer that never answers must not fill our memory: beyond this the oldest question is forgotten. */
const maxRemembered = 8_192;

/** Gives the ids of what awaits an answer short names, for one connection. */
export class ShortIds {
  readonly #numbers = new Map<MessageId, number>();
  readonly #ids = new Map<number, MessageId>();
  #last = 0;

  /** The same id has the same number as long as it is remembered. */
  numberOf(id: MessageId): number {
    const known = this.#numbers.get(id);
    if (known !== undefined) return known;
    const number = ++this.#last;
    this.#numbers.set(id, number);
    this.#ids.set(number, id);
    if (this.#ids.size > maxRemembered) this.idOf(this.#ids.keys().next().value!);
    return number;
  }

  /** Forgets it, too: there is one answer. An unknown number gives an id that nobody waits for. */
  idOf(number: number): MessageId {
    const id = this.#ids.get(number);
    if (id === undefined) return messageId(`unknown-${number}`);
    this.#ids.delete(number);
    this.#numbers.delete(id);
    return id;
  }
}
