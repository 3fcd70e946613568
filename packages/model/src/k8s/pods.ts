// What several layers need to know about a pod: how far it is, and how it ranks when memory is short. What it asks of a
// node is in k8s-scheduling. Written against the few fields it reads, so that every representation of a pod fits.
import { compareQuantities, quantity } from '../k8s-quantity/index.ts';
import type { Quantity } from '../k8s-quantity/index.ts';
import { hasCondition } from './conditions.ts';
import type { ObjectMeta } from './object.ts';

type ResourceMap = Readonly<Record<string, string>>;

interface ContainerLike {
  readonly name: string;
  readonly restartPolicy?: string;
  readonly resources?: { readonly requests?: ResourceMap; readonly limits?: ResourceMap };
}

export interface PodLike {
  readonly metadata: ObjectMeta;
  readonly spec?: {
    readonly containers: readonly ContainerLike[];
    readonly initContainers?: readonly ContainerLike[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export const isPodReady = (pod: PodLike): boolean => hasCondition(pod.status?.conditions, 'Ready');

/** Succeeded or Failed: it will not run again and holds no resources. */
export const isPodTerminal = (pod: PodLike): boolean =>
  pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';

/** Counts towards a controller's replicas. */
export const isPodActive = (pod: PodLike): boolean =>
  !isPodTerminal(pod) && pod.metadata.deletionTimestamp === undefined;

/** An init container that keeps running beside the others. */
export const isSidecar = (container: ContainerLike): boolean => container.restartPolicy === 'Always';

type ResourceAmounts = ReadonlyMap<string, Quantity>;

/** A limit without a request is also the request. */
const requestsOf = ({ resources }: ContainerLike): ResourceAmounts =>
  amounts({ ...resources?.limits, ...resources?.requests });

const amounts = (resources: ResourceMap | undefined): ResourceAmounts =>
  new Map(Object.entries(resources ?? {}).map(([name, text]) => [name, quantity(text)]));

export type QosClass = 'BestEffort' | 'Burstable' | 'Guaranteed';

const qosResources = ['cpu', 'memory'];

/**
 * Guaranteed: every container limits CPU and memory and requests as much; BestEffort: none asks for either;
 * Burstable: everything between.
 */
export function qosClass(pod: PodLike): QosClass {
  const containers = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  if (containers.every((container) => !asksForAnything(container))) return 'BestEffort';
  return containers.every(isGuaranteed) ? 'Guaranteed' : 'Burstable';
}

const asksForAnything = ({ resources }: ContainerLike): boolean =>
  [amounts(resources?.requests), amounts(resources?.limits)].some((set) =>
    qosResources.some((name) => isPositive(set.get(name))),
  );

const isPositive = (amount: Quantity | undefined): boolean => amount !== undefined && amount.nano > 0n;

function isGuaranteed(container: ContainerLike): boolean {
  const requests = requestsOf(container);
  const limits = amounts(container.resources?.limits);
  return qosResources.every((name) => {
    const [request, limit] = [requests.get(name), limits.get(name)];
    return request && limit && isPositive(limit) && compareQuantities(request, limit) === 0;
  });
}
