// Scores that look at one node at a time: soft taints, preferred node affinity, free and balanced resources, images.
import { type Amounts, findUntolerated, matchesNodeTerm } from '@kedge/model/k8s-scheduling';
import type { NodeFacts } from '../state/node-facts.ts';
import { best, normalize, normalizeReversed, type Score } from './score.ts';

export const softTaints: Score = {
  name: 'TaintToleration',
  weight: 3,
  rate({ pod }, nodes) {
    const intolerable = nodes.map(({ node }) => {
      const soft = (node.spec?.taints ?? []).filter(({ effect }) => effect === 'PreferNoSchedule');
      return soft.filter((taint) => findUntolerated([taint], pod.spec?.tolerations, ['PreferNoSchedule'])).length;
    });
    return intolerable.some((number) => number > 0) ? normalizeReversed(intolerable) : undefined;
  },
};

export const preferredNodes: Score = {
  name: 'NodeAffinity',
  weight: 2,
  rate({ pod }, nodes) {
    const terms = pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (terms.length === 0) return undefined;
    const weightOn = ({ node }: NodeFacts) =>
      terms.filter(({ preference }) => matchesNodeTerm(preference, node)).reduce((sum, { weight }) => sum + weight, 0);
    return normalize(nodes.map(weightOn));
  },
};

export const leastAllocated: Score = {
  name: 'NodeResourcesFit',
  weight: 1,
  // Whole points per resource: with fractions, ties that Kubernetes sees would be none.
  rate: (pod, nodes) =>
    nodes.map((node) =>
      mean(
        uses(pod.scoredRequests, node.scoredRequested, node).map(([used, of]) =>
          Math.floor((Math.max(0, of - used) * best) / of),
        ),
      ),
    ),
};

/** A node whose CPU and memory fill up alike wastes neither. */
export const balancedAllocation: Score = {
  name: 'NodeResourcesBalancedAllocation',
  weight: 1,
  // A pod that asks for nothing changes no balance, and would only follow the crowd.
  rate: ({ requests }, nodes) => {
    if (!requests.get('cpu') && !requests.get('memory')) return undefined;
    return nodes.map((node) => {
      const used = uses(requests, node.requested, node).map(([amount, of]) => Math.min(1, amount / of));
      const middle = mean(used);
      const deviation = Math.sqrt(mean(used.map((share) => (share - middle) ** 2)));
      return (1 - deviation) * best;
    });
  },
};

/** How much of CPU and memory would be in use with the pod on the node, and of how much. */
function uses(wanted: Amounts, taken: Amounts, { allocatable }: NodeFacts): (readonly [used: number, of: number])[] {
  return ['cpu', 'memory'].flatMap((name) => {
    const capacity = allocatable.get(name) ?? 0;
    if (capacity === 0) return [];
    return [[(taken.get(name) ?? 0) + (wanted.get(name) ?? 0), capacity] as const];
  });
}

const mean = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;

const mebibyte = 1024 * 1024;
/** Per container: below the first nothing is gained, beyond the second nothing more. */
const imageThresholds = [23 * mebibyte, 1_000 * mebibyte] as const;

/** Nodes that have the images already; over a thin line pulling is the slowest part of a start. */
export const imageLocality: Score = {
  name: 'ImageLocality',
  weight: 1,
  rate({ pod }, nodes, cluster) {
    const wanted = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map(({ image = '' }) =>
      fullName(image),
    );
    const sizesOn = ({ node }: NodeFacts): number[] => {
      const sizes = new Map(
        (node.status?.images ?? []).flatMap(({ names = [], sizeBytes = 0 }) =>
          names.map((name) => [name, sizeBytes] as const),
        ),
      );
      return wanted.map((image) => sizes.get(image) ?? 0);
    };
    const present = nodes.map(sizesOn);
    if (present.every((sizes) => sizes.every((size) => size === 0))) return undefined;
    // An image that most nodes have says little about where to go.
    const everywhere = cluster.nodes.map(sizesOn);
    const spread = wanted.map((_, at) => everywhere.filter((sizes) => sizes[at]! > 0).length / everywhere.length);
    const [low, high] = [imageThresholds[0], imageThresholds[1] * wanted.length];
    return present.map((sizes) => {
      const sum = sizes.reduce((total, size, at) => total + size * spread[at]!, 0);
      return ((Math.min(high, Math.max(low, sum)) - low) / (high - low)) * best;
    });
  },
};

const fullName = (image: string): string => (/[:@][^/]*$/.test(image) ? image : `${image}:latest`);
