// How fast pods may be moved off silent nodes, by zone. When many nodes of a zone fall silent at once it is rather the
// network that has failed, and moving everything would only make it worse. Pure but for the memory of `EvictionPace`.
import { type Duration, type Instant, milliseconds } from '@kedge/core/time';
import type { Node } from '@kedge/model/k8s-types';
import { isNodeReady } from './node-health.ts';

export type ZoneState = 'normal' | 'partial' | 'full';

/** A zone in which this part of the nodes, and more than two, is not ready is partly down. */
const unhealthyPart = 0.55;
const minUnhealthy = 2;
/** In a cluster up to this size nothing is moved out of a zone that is partly down. */
const largeCluster = 50;
/** Nodes per second. */
const usualRate = 0.1;
const slowRate = 0.01;

export const zoneOf = ({ metadata }: Node): string => {
  const { labels = {} } = metadata;
  return `${labels['topology.kubernetes.io/region'] ?? ''}\n${labels['topology.kubernetes.io/zone'] ?? ''}`;
};

export function zoneState(nodes: readonly Node[]): ZoneState {
  const ready = nodes.filter(isNodeReady).length;
  const unready = nodes.length - ready;
  if (ready === 0 && unready > 0) return 'full';
  return unready > minUnhealthy && unready / nodes.length >= unhealthyPart ? 'partial' : 'normal';
}

export interface ZoneVerdict {
  /** Every zone is down: most likely it is us who hear nothing, and nobody has to go. */
  readonly allDown: boolean;
  /** Nodes per second that pods may be moved off in this zone. */
  readonly rate: number;
}

export function judgeZone(node: Node, nodes: Iterable<Node>): ZoneVerdict {
  const zones = new Map<string, Node[]>();
  let count = 0;
  for (const one of nodes) {
    const zone = zoneOf(one);
    const known = zones.get(zone);
    if (known) known.push(one);
    else zones.set(zone, [one]);
    count += 1;
  }
  const states = [...zones].map(([zone, inZone]) => [zone, zoneState(inZone)] as const);
  const allDown = states.length > 0 && states.every(([, state]) => state === 'full');
  const own = states.find(([zone]) => zone === zoneOf(node))?.[1] ?? 'normal';
  const slow = count > largeCluster ? slowRate : 0;
  return { allDown, rate: allDown ? 0 : own === 'partial' ? slow : usualRate };
}

/** Spaces the nodes of each zone that pods are moved off. */
export class EvictionPace {
  readonly #nextAt = new Map<string, number>();

  /** True when it is this node's turn, and then it has been taken. */
  take(zone: string, rate: number, now: Instant): boolean {
    if (rate <= 0 || (this.#nextAt.get(zone) ?? 0) > now) return false;
    this.#nextAt.set(zone, now + this.#pause(rate));
    return true;
  }

  #pause = (rate: number): Duration => milliseconds(1_000 / rate);
}
