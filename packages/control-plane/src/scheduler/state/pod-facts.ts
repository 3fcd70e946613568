// What the scheduler reads of a pod again and again, computed once per version of the pod.
import { objectKey } from '@kedge/model/k8s';
import { type Amounts, claimNames, podRequests } from '@kedge/model/k8s-scheduling';
import type { Pod, PodAffinityTerm, WeightedPodAffinityTerm } from '@kedge/model/k8s-types';

export interface HostPort {
  readonly protocol: string;
  readonly address: string;
  readonly port: number;
}

export interface PodFacts {
  readonly key: string;
  readonly pod: Pod;
  readonly namespace: string;
  readonly priority: number;
  /** The uid of the controlling owner. */
  readonly owner: string | undefined;
  readonly requests: Amounts;
  /** Requests with a floor for each container, so that pods that ask for nothing still spread. */
  readonly scoredRequests: Amounts;
  readonly hostPorts: readonly HostPort[];
  /** Names of its volume claims, those made for it among them. */
  readonly claims: readonly string[];
  readonly affinity: readonly PodAffinityTerm[];
  readonly antiAffinity: readonly PodAffinityTerm[];
  readonly preferredAffinity: readonly WeightedPodAffinityTerm[];
  readonly preferredAntiAffinity: readonly WeightedPodAffinityTerm[];
  /** Has wishes of its own about who comes near, so that it counts when others are rated. */
  readonly attracts: boolean;
}

const floor: Amounts = new Map([
  ['cpu', 100],
  ['memory', 200 * 1024 * 1024],
]);

const facts = new WeakMap<Pod, PodFacts>();

export function podFacts(pod: Pod): PodFacts {
  const known = facts.get(pod);
  if (known) return known;
  const computed = compute(pod);
  facts.set(pod, computed);
  return computed;
}

function compute(pod: Pod): PodFacts {
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  const requests = podRequests(pod.spec);
  const affinity = podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
  const preferredAffinity = podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const preferredAntiAffinity = podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return {
    key: objectKey(pod),
    pod,
    namespace: pod.metadata.namespace ?? '',
    priority: pod.spec?.priority ?? 0,
    owner: pod.metadata.ownerReferences?.find(({ controller }) => controller)?.uid,
    requests,
    scoredRequests: podRequests(pod.spec, floor),
    hostPorts: hostPortsOf(pod),
    claims: claimNames(pod),
    affinity,
    antiAffinity: podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
    preferredAffinity,
    preferredAntiAffinity,
    attracts: affinity.length + preferredAffinity.length + preferredAntiAffinity.length > 0,
  };
}

function hostPortsOf({ spec }: Pod): HostPort[] {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  return [...(spec?.containers ?? []), ...sidecars].flatMap(({ ports = [] }) =>
    ports
      .filter(({ hostPort }) => hostPort)
      .map(({ protocol = 'TCP', hostIP, hostPort = 0 }) => ({
        protocol,
        address: hostIP || '0.0.0.0',
        port: hostPort,
      })),
  );
}
