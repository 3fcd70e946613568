// `/stats/summary`: the node and its pods as one document. Source: the kubelet's Summary API, stats/v1alpha1.
// What the runtime does not tell (network, volumes) is left out rather than made up.
import { type Instant, instant, toTime } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import type { ContainerUsage } from '../runtime/container-usage.ts';

export interface SummaryInput {
  readonly node: string;
  readonly now: Instant;
  readonly bootedAt: Instant | undefined;
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
  readonly availableBytes: number;
  readonly disk: {
    readonly totalBytes: number;
    readonly freeBytes: number;
    readonly totalInodes: number;
    readonly freeInodes: number;
  };
  readonly processes: { readonly now: number; readonly limit: number };
  readonly containers: readonly ContainerUsage[];
  /** With their statuses; for the times at which things began. */
  readonly pods: readonly Pod[];
}

export function statsSummary(input: SummaryInput): object {
  const { now, disk } = input;
  const time = toTime(now);
  const byUid = new Map(input.pods.map((pod) => [pod.metadata.uid ?? '', pod]));
  const usageByPod = Map.groupBy(
    input.containers.filter(({ uid }) => uid !== ''),
    ({ uid }) => uid,
  );
  const fs = {
    time,
    availableBytes: disk.freeBytes,
    capacityBytes: disk.totalBytes,
    usedBytes: disk.totalBytes - disk.freeBytes,
    inodesFree: disk.freeInodes,
    inodes: disk.totalInodes,
    inodesUsed: disk.totalInodes - disk.freeInodes,
  };
  return {
    node: {
      nodeName: input.node,
      ...(input.bootedAt === undefined ? {} : { startTime: toTime(input.bootedAt) }),
      cpu: { time, usageCoreNanoSeconds: Math.round(input.cpuSeconds * 1e9) },
      memory: {
        time,
        availableBytes: input.availableBytes,
        usageBytes: input.memoryBytes - input.availableBytes,
        workingSetBytes: input.memoryBytes - input.availableBytes,
      },
      fs,
      rlimit: { time, maxpid: input.processes.limit, curproc: input.processes.now },
    },
    pods: [...usageByPod].map(([uid, containers]) => podStats(uid, containers, byUid.get(uid), now)),
  };
}

function podStats(uid: string, containers: readonly ContainerUsage[], pod: Pod | undefined, now: Instant): object {
  const [first] = containers;
  const times = containers.map(({ at }) => at).filter((at) => at > 0);
  const time = toTime(times.length > 0 ? instant(Math.max(...times)) : now);
  const sum = (of: (usage: ContainerUsage) => bigint | undefined): number =>
    containers.reduce((total, usage) => total + Number(of(usage) ?? 0n), 0);
  return {
    podRef: { name: first?.pod ?? '', namespace: first?.namespace ?? '', uid },
    ...(pod?.status?.startTime === undefined ? {} : { startTime: pod.status.startTime }),
    containers: containers.map((usage) => containerStats(usage, pod, now)),
    cpu: { time, usageCoreNanoSeconds: sum(({ cpuNanoseconds }) => cpuNanoseconds) },
    memory: {
      time,
      usageBytes: sum(({ usageBytes }) => usageBytes),
      workingSetBytes: sum(({ workingSetBytes }) => workingSetBytes),
      rssBytes: sum(({ rssBytes }) => rssBytes),
      pageFaults: sum(({ pageFaults }) => pageFaults),
      majorPageFaults: sum(({ majorPageFaults }) => majorPageFaults),
    },
    'ephemeral-storage': { time, usedBytes: sum(({ writtenBytes }) => writtenBytes) },
  };
}

function containerStats(usage: ContainerUsage, pod: Pod | undefined, now: Instant): object {
  const statuses = [...(pod?.status?.containerStatuses ?? []), ...(pod?.status?.initContainerStatuses ?? [])];
  const startedAt = statuses.find(({ name }) => name === usage.container)?.state?.running?.startedAt;
  const time = toTime(usage.at > 0 ? instant(usage.at) : now);
  return {
    name: usage.container,
    ...(startedAt === undefined ? {} : { startTime: startedAt }),
    cpu: { time, ...counted('usageCoreNanoSeconds', usage.cpuNanoseconds) },
    memory: {
      time,
      ...counted('usageBytes', usage.usageBytes),
      ...counted('workingSetBytes', usage.workingSetBytes),
      ...counted('rssBytes', usage.rssBytes),
      ...counted('pageFaults', usage.pageFaults),
      ...counted('majorPageFaults', usage.majorPageFaults),
    },
    rootfs: { time, ...counted('usedBytes', usage.writtenBytes), ...counted('inodesUsed', usage.writtenInodes) },
  };
}

const counted = (name: string, value: bigint | undefined): Record<string, number> =>
  value === undefined ? {} : { [name]: Number(value) };
