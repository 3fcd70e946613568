// What a pod's own cgroup is limited to: the sums of its containers, or what the pod says for itself as a whole. Pure.
// Source: "Pod-level resources" and "Node allocatable" in the Kubernetes documentation, and the kubelet's ResourceConfigForPod.
import type { CgroupLimits } from '@kedge/core/ports';
import { quantity, quantityUnits } from '@kedge/model/k8s-quantity';
import { podLimits as limitSums, podRequests } from '@kedge/model/k8s-scheduling';
import type { Pod } from '@kedge/model/k8s-types';
import { allContainersOf, ephemeralContainersOf, type QosClass, qosClassOf, specOf } from '../pod/pod-spec.ts';
import { cpuQuota, cpuShares, isHugePages, kernelPageSize } from './resources.ts';

/** `maxProcesses`: of every pod; negative: as many as there may be. */
export function podCgroupLimits(pod: Pod, { maxProcesses }: { maxProcesses: number }): CgroupLimits {
  const qos = qosClassOf(pod);
  const spec = specOf(pod);
  const limits = limitSums(spec);
  const requests = podRequests(spec);
  const cpuLimit = isLimited(pod, 'cpu') ? limits.get('cpu') : undefined;
  const memoryLimit = isLimited(pod, 'memory') ? limits.get('memory') : undefined;
  const hugePages = [...limits].filter(([name]) => isHugePages(name));
  return {
    cpuShares: cpuShares(qos === 'BestEffort' ? 0 : (requests.get('cpu') ?? 0)),
    ...(cpuLimit ? { cpuQuota: cpuQuota(cpuLimit) } : {}),
    ...(memoryLimit ? { memoryBytes: memoryLimit } : {}),
    ...(maxProcesses > 0 ? { processes: maxProcesses } : {}),
    ...(hugePages.length > 0
      ? { hugePages: new Map(hugePages.map(([name, bytes]) => [pageSizeOf(name), bytes])) }
      : {}),
  };
}

/** A sum says nothing when one container may take what it likes. */
function isLimited(pod: Pod, resource: 'cpu' | 'memory'): boolean {
  if (specOf(pod).resources?.limits?.[resource] !== undefined) return true;
  // What looks into a pod has no resources of its own.
  const visitors = new Set(ephemeralContainersOf(pod).map(({ name }) => name));
  return allContainersOf(pod)
    .filter(({ name }) => !visitors.has(name))
    .every(({ resources }) => {
      const written = resources?.limits?.[resource];
      return written !== undefined && quantity(written).nano > 0n;
    });
}

const pageSizeOf = (resource: string): string =>
  kernelPageSize(Number(quantityUnits(quantity(resource.slice('hugepages-'.length)))));

/** Of all pods of a class together. Guaranteed ones have no cgroup in common. */
export function qosCgroupLimits(pods: readonly Pod[], qos: Exclude<QosClass, 'Guaranteed'>): CgroupLimits {
  if (qos === 'BestEffort') return { cpuShares: cpuShares(0) };
  const asked = pods.filter((pod) => qosClassOf(pod) === qos).map((pod) => podRequests(specOf(pod)).get('cpu') ?? 0);
  return { cpuShares: cpuShares(asked.reduce((sum, one) => sum + one, 0)) };
}
