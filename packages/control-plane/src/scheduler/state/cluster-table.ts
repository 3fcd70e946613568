// The scheduler's picture of the cluster: nodes, the pods on them, and the pods it has just placed itself.
import { addAmounts, type Amounts, amountsOf, subtractAmounts } from '@kedge/model/k8s-scheduling';
import type { Node, Pod } from '@kedge/model/k8s-types';
import type { NodeFacts } from './node-facts.ts';
import { type PodFacts, podFacts } from './pod-facts.ts';

interface Slot {
  node: Node | undefined;
  allocatable: Amounts;
  readonly pods: Map<string, PodFacts>;
  requested: Amounts;
  scoredRequested: Amounts;
  /** Made when asked for, dropped when anything changes. */
  facts: NodeFacts | undefined;
}

export class ClusterTable {
  readonly #slots = new Map<string, Slot>();
  readonly #placeOf = new Map<string, string>();
  readonly #repelling = new Set<PodFacts>();

  putNode(node: Node): void {
    const slot = this.#slot(node.metadata.name ?? '');
    slot.node = node;
    slot.allocatable = amountsOf(node.status?.allocatable ?? node.status?.capacity);
    slot.facts = undefined;
  }

  dropNode(name: string): void {
    const slot = this.#slot(name);
    slot.node = undefined;
    this.#tidy(name, slot);
  }

  /** A pod on its node, whether it runs there or has just been placed there by us. */
  putPod(pod: Pod, nodeName: string): void {
    const facts = podFacts(pod);
    this.dropPod(facts.key);
    const slot = this.#slot(nodeName);
    slot.pods.set(facts.key, facts);
    slot.requested = addAmounts(slot.requested, facts.requests);
    slot.scoredRequested = addAmounts(slot.scoredRequested, facts.scoredRequests);
    slot.facts = undefined;
    this.#placeOf.set(facts.key, nodeName);
    if (facts.antiAffinity.length > 0) this.#repelling.add(facts);
  }

  dropPod(key: string): void {
    const nodeName = this.#placeOf.get(key);
    if (nodeName === undefined) return;
    this.#placeOf.delete(key);
    const slot = this.#slot(nodeName);
    const facts = slot.pods.get(key);
    if (facts) {
      this.#repelling.delete(facts);
      slot.requested = subtractAmounts(slot.requested, facts.requests);
      slot.scoredRequested = subtractAmounts(slot.scoredRequested, facts.scoredRequests);
    }
    slot.pods.delete(key);
    slot.facts = undefined;
    this.#tidy(nodeName, slot);
  }

  /** Every node that exists, as it is now. */
  nodes(): NodeFacts[] {
    const all: NodeFacts[] = [];
    for (const slot of this.#slots.values()) {
      if (slot.node) all.push((slot.facts ??= factsOf(slot.node, slot)));
    }
    return all;
  }

  /** Placed pods that keep others away by required anti-affinity. */
  get repelling(): ReadonlySet<PodFacts> {
    return this.#repelling;
  }

  placeOf(key: string): string | undefined {
    return this.#placeOf.get(key);
  }

  #slot(name: string): Slot {
    let slot = this.#slots.get(name);
    if (!slot) this.#slots.set(name, (slot = emptySlot()));
    return slot;
  }

  /** Pods may be told before their node, and outlive it. */
  #tidy(name: string, slot: Slot): void {
    slot.facts = undefined;
    if (!slot.node && slot.pods.size === 0) this.#slots.delete(name);
  }
}

const none: Amounts = new Map();

const emptySlot = (): Slot => ({
  node: undefined,
  allocatable: none,
  pods: new Map(),
  requested: none,
  scoredRequested: none,
  facts: undefined,
});

const factsOf = (node: Node, { allocatable, pods, requested, scoredRequested }: Slot): NodeFacts => ({
  name: node.metadata.name ?? '',
  node,
  labels: node.metadata.labels ?? {},
  allocatable,
  pods,
  requested,
  scoredRequested,
});
