// What the pods of this node use, as the runtime counts it: read once per question, in the terms of the kubelet's
// documents (stats/v1alpha1, the resource metrics endpoint).
import type { ContainerStats, Cri, Whole } from '@kedge/wire/cri';
import type { CallOptions } from '@kedge/wire/rpc';
import { labels } from './labels.ts';

export interface ContainerUsage {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  /** Unix milliseconds at which the runtime counted; 0 where it did not say. */
  readonly at: number;
  /** Since the container began. */
  readonly cpuNanoseconds: bigint | undefined;
  readonly workingSetBytes: bigint | undefined;
  readonly usageBytes: bigint | undefined;
  readonly rssBytes: bigint | undefined;
  readonly pageFaults: bigint | undefined;
  readonly majorPageFaults: bigint | undefined;
  /** What it has written to its own layer. */
  readonly writtenBytes: bigint | undefined;
  readonly writtenInodes: bigint | undefined;
}

/** Running containers of this site, in the order of namespace, pod and container. */
export async function readContainerUsage(cri: Cri, site: string, options: CallOptions): Promise<ContainerUsage[]> {
  const filter = { labelSelector: { [labels.site]: site } };
  const { stats } = await cri.listContainerStats({ filter }, options);
  return stats.map(toUsage).sort((a, b) => compare(keyOf(a), keyOf(b)));
}

function toUsage({ attributes, cpu, memory, writableLayer }: Whole<ContainerStats>): ContainerUsage {
  const of = attributes?.labels ?? {};
  return {
    namespace: of[labels.podNamespace] ?? '',
    pod: of[labels.podName] ?? '',
    uid: of[labels.podUid] ?? '',
    container: of[labels.containerName] ?? attributes?.metadata?.name ?? '',
    at: Number((cpu?.timestamp || memory?.timestamp || 0n) / 1_000_000n),
    cpuNanoseconds: cpu?.usageCoreNanoSeconds?.value,
    workingSetBytes: memory?.workingSetBytes?.value,
    usageBytes: memory?.usageBytes?.value,
    rssBytes: memory?.rssBytes?.value,
    pageFaults: memory?.pageFaults?.value,
    majorPageFaults: memory?.majorPageFaults?.value,
    writtenBytes: writableLayer?.usedBytes?.value,
    writtenInodes: writableLayer?.inodesUsed?.value,
  };
}

const keyOf = ({ namespace, pod, container }: ContainerUsage): string => `${namespace}/${pod}/${container}`;
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Memory or disk in use by pod uid, in bytes: what eviction ranks by. */
export async function usageByPod(
  cri: Cri,
  site: string,
  of: 'memory' | 'disk',
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>();
  for (const usage of await readContainerUsage(cri, site, { signal })) {
    const bytes = Number((of === 'memory' ? usage.workingSetBytes : usage.writtenBytes) ?? 0n);
    sums.set(usage.uid, (sums.get(usage.uid) ?? 0) + bytes);
  }
  return sums;
}
