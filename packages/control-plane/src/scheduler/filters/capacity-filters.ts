// Filters about what pods use up on a node: host ports, resources, the number of pods.
import type { NodeFacts } from '../state/node-facts.ts';
import type { HostPort, PodFacts } from '../state/pod-facts.ts';
import { type Filter, passes, refuse, type Verdict } from './filter.ts';

const anyAddress = new Set(['0.0.0.0', '::']);

export const nodePorts: Filter = {
  name: 'NodePorts',
  helpedBy: ['node', 'pod-gone'],
  prepare: ({ hostPorts }) => {
    if (hostPorts.length === 0) return undefined;
    return ({ pods }) => {
      const taken = [...pods.values()].flatMap((other) => other.hostPorts);
      const isFree = !hostPorts.some((wanted) => taken.some((used) => collide(wanted, used)));
      return isFree ? passes : refuse("node(s) didn't have free ports for the requested pod ports");
    };
  },
};

const collide = (a: HostPort, b: HostPort): boolean =>
  a.port === b.port &&
  a.protocol === b.protocol &&
  (a.address === b.address || anyAddress.has(a.address) || anyAddress.has(b.address));

export const nodeResources: Filter = {
  name: 'NodeResourcesFit',
  helpedBy: ['node', 'pod-gone', 'pod-relabelled'],
  prepare: (pod) => (node) => missing(pod, node),
};

function missing({ requests }: PodFacts, { allocatable, requested, pods }: NodeFacts): Verdict {
  const reasons = pods.size + 1 > (allocatable.get('pods') ?? 110) ? ['Too many pods'] : [];
  for (const [name, amount] of requests) {
    const free = (allocatable.get(name) ?? 0) - (requested.get(name) ?? 0);
    if (amount > 0 && amount > free) reasons.push(`Insufficient ${name}`);
  }
  return reasons.length > 0 ? refuse(...reasons) : passes;
}
