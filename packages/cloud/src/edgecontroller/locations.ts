// Which node needs which ConfigMap, Secret and claim, and has pods in which namespace (a nameless `namespace`): a table
// kept from the pods bound to nodes, and nothing else.
import type { NodeName } from '@kedge/model/k8s';
import { podReferences } from '@kedge/model/k8s-pods';
import type { Pod } from '@kedge/model/k8s-types';

interface Place {
  readonly node: NodeName;
  /** `type/namespace/name` */
  readonly keys: readonly string[];
}

const keyOf = (type: string, namespace: string, name: string): string => `${type}/${namespace}/${name}`;

export class Locations {
  readonly #places = new Map<string, Place>();
  /** How many pods of a node refer to an object. */
  readonly #users = new Map<string, Map<NodeName, number>>();

  /** A pod appeared or changed; replaces what was known under its name. */
  put(pod: Pod): void {
    this.remove(pod);
    const node = pod.spec?.nodeName as NodeName | undefined;
    if (!node) return;
    const namespace = pod.metadata.namespace ?? '';
    const referred = podReferences(pod).map(({ type, name }) => keyOf(type, namespace, name));
    const keys = [...referred, keyOf('namespace', namespace, '')];
    this.#places.set(podKey(pod), { node, keys });
    for (const key of keys) this.#count(key, node, 1);
  }

  remove(pod: Pod): void {
    const place = this.#places.get(podKey(pod));
    if (!place) return;
    this.#places.delete(podKey(pod));
    for (const key of place.keys) this.#count(key, place.node, -1);
  }

  /** Nodes with at least one pod that refers to the object. */
  nodesOf(type: string, namespace: string, name: string): NodeName[] {
    return [...(this.#users.get(keyOf(type, namespace, name))?.keys() ?? [])];
  }

  uses(node: NodeName, type: string, namespace: string, name: string): boolean {
    return this.#users.get(keyOf(type, namespace, name))?.has(node) ?? false;
  }

  #count(key: string, node: NodeName, by: 1 | -1): void {
    const users = this.#users.get(key) ?? new Map<NodeName, number>();
    const count = (users.get(node) ?? 0) + by;
    if (count > 0) users.set(node, count);
    else users.delete(node);
    if (users.size > 0) this.#users.set(key, users);
    else this.#users.delete(key);
  }
}

const podKey = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}`;
