// `/metrics/resource`: processor time and memory of containers, pods and the node, for whoever scales or shows them.
// Source: the kubelet's resource metrics endpoint (Kubernetes KEP 727); the text is Prometheus' format with times.
import type { ContainerUsage } from '../runtime/container-usage.ts';

export interface NodeUsage {
  readonly at: number;
  readonly cpuSeconds: number;
  readonly workingSetBytes: number;
}

interface Sample {
  readonly labels: string;
  readonly value: number;
  /** Unix milliseconds. */
  readonly at: number;
}

/** `failed`: the runtime could not be asked, so containers are missing from the answer. */
export function resourceMetrics(
  containers: readonly ContainerUsage[],
  node: NodeUsage | undefined,
  failed: boolean,
): string {
  const known = containers.filter(({ pod }) => pod !== '');
  const ofContainers = (value: (usage: ContainerUsage) => number | undefined): Sample[] =>
    known.flatMap((usage) => {
      const { container, namespace, pod, at } = usage;
      const counted = value(usage);
      return counted === undefined ? [] : [{ labels: labelText({ container, namespace, pod }), value: counted, at }];
    });
  const ofPods = (value: (usage: ContainerUsage) => number | undefined): Sample[] => {
    const sums = new Map<string, Sample>();
    for (const usage of known) {
      const counted = value(usage);
      if (counted === undefined) continue;
      const { namespace, pod } = usage;
      const labels = labelText({ namespace, pod });
      const before = sums.get(labels);
      sums.set(labels, { labels, value: counted + (before?.value ?? 0), at: Math.max(usage.at, before?.at ?? 0) });
    }
    return [...sums.values()];
  };
  const ofNode = (value: number | undefined): Sample[] =>
    value === undefined || !node ? [] : [{ labels: '', value, at: node.at }];
  return [
    ...family(
      'container_cpu_usage_seconds_total',
      'counter',
      'Cpu time of the container, in core-seconds',
      ofContainers(cpuSeconds),
    ),
    ...family(
      'container_memory_working_set_bytes',
      'gauge',
      'Working set of the container, in bytes',
      ofContainers(workingSet),
    ),
    ...family(
      'node_cpu_usage_seconds_total',
      'counter',
      'Cpu time of the node, in core-seconds',
      ofNode(node?.cpuSeconds),
    ),
    ...family(
      'node_memory_working_set_bytes',
      'gauge',
      'Working set of the node, in bytes',
      ofNode(node?.workingSetBytes),
    ),
    ...family('pod_cpu_usage_seconds_total', 'counter', 'Cpu time of the pod, in core-seconds', ofPods(cpuSeconds)),
    ...family('pod_memory_working_set_bytes', 'gauge', 'Working set of the pod, in bytes', ofPods(workingSet)),
    ...family('resource_scrape_error', 'gauge', '1 when the container runtime could not be asked', [
      { labels: '', value: failed ? 1 : 0, at: 0 },
    ]),
    '',
  ].join('\n');
}

const cpuSeconds = ({ cpuNanoseconds }: ContainerUsage): number | undefined =>
  cpuNanoseconds === undefined ? undefined : Number(cpuNanoseconds) / 1e9;
const workingSet = ({ workingSetBytes }: ContainerUsage): number | undefined =>
  workingSetBytes === undefined ? undefined : Number(workingSetBytes);

/** A family without samples is left out, as Prometheus' own libraries do. */
export function family(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): string[] {
  if (samples.length === 0) return [];
  const lines = samples.map(({ labels, value, at }) => `${name}${labels} ${value}${at > 0 ? ` ${at}` : ''}`);
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines];
}

/** Values come from names that the API has checked; an image may still hold a quote. */
export const labelText = (labels: Readonly<Record<string, string>>): string =>
  `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`))}"`)
    .join(',')}}`;
