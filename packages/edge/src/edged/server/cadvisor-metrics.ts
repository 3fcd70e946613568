// `/metrics/cadvisor`: the counters per container that dashboards made for Kubernetes ask for, by cAdvisor's names, as
// far as the runtime knows them. What only cAdvisor reads out of the kernel (network, disk traffic) is not there.
import type { ContainerUsage } from '../runtime/container-usage.ts';
import { family, labelText } from './resource-metrics.ts';

export function cadvisorMetrics(containers: readonly ContainerUsage[]): string {
  const samples = (value: (usage: ContainerUsage) => bigint | undefined, divisor = 1) =>
    containers.flatMap((usage) => {
      const counted = value(usage);
      if (counted === undefined || usage.pod === '') return [];
      const { container, namespace, pod, at } = usage;
      return [{ labels: labelText({ container, namespace, pod }), value: Number(counted) / divisor, at }];
    });
  return [
    ...family(
      'container_cpu_usage_seconds_total',
      'counter',
      'Cpu time, in core-seconds',
      samples(({ cpuNanoseconds }) => cpuNanoseconds, 1e9),
    ),
    ...family(
      'container_memory_working_set_bytes',
      'gauge',
      'Working set, in bytes',
      samples(({ workingSetBytes }) => workingSetBytes),
    ),
    ...family(
      'container_memory_usage_bytes',
      'gauge',
      'Memory with caches, in bytes',
      samples(({ usageBytes }) => usageBytes),
    ),
    ...family(
      'container_memory_rss',
      'gauge',
      'Anonymous memory, in bytes',
      samples(({ rssBytes }) => rssBytes),
    ),
    ...family(
      'container_fs_usage_bytes',
      'gauge',
      'Written to the layer of the container, in bytes',
      samples(({ writtenBytes }) => writtenBytes),
    ),
    ...family(
      'container_fs_inodes_used',
      'gauge',
      'Inodes in the layer of the container',
      samples(({ writtenInodes }) => writtenInodes),
    ),
    '',
  ].join('\n');
}
