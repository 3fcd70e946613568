// Reads what a kubelet says under /metrics/resource: Prometheus text with a few series per container. Pure, and made for
// text from strangers: what it does not know it skips, and what it keeps is bounded.
import { instant, type Instant } from '@kedge/core/time';

/** What one node or container had used at a moment. */
export interface Reading {
  readonly at: Instant;
  /** CPU seconds since it started. */
  readonly cpuSeconds: number;
  readonly memoryBytes: number;
}

export interface NodeReadings {
  readonly node: Reading | undefined;
  /** By `namespace/pod`, then by container. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, Reading>>;
}

/** Containers of one node; a node runs some hundred pods at most. */
const maxContainers = 5_000;
const maxLine = 4_096;

type Field = 'cpuSeconds' | 'memoryBytes';
const seriesOfNode: Readonly<Record<string, Field>> = {
  node_cpu_usage_seconds_total: 'cpuSeconds',
  node_memory_working_set_bytes: 'memoryBytes',
};
const seriesOfContainer: Readonly<Record<string, Field>> = {
  container_cpu_usage_seconds_total: 'cpuSeconds',
  container_memory_working_set_bytes: 'memoryBytes',
};

interface Half {
  at: number;
  cpuSeconds?: number;
  memoryBytes?: number;
}

/** `now` is the moment of lines that carry none. */
export function parseResourceMetrics(text: string, now: Instant): NodeReadings {
  const node: Half = { at: 0 };
  const pods = new Map<string, Map<string, Half>>();
  let containers = 0;
  const containerOf = (labels: string): Half | undefined => {
    const { namespace, pod, container } = parseLabels(labels);
    if (!namespace || !pod || !container) return undefined;
    const key = `${namespace}/${pod}`;
    const ofPod = pods.get(key) ?? new Map<string, Half>();
    let known = ofPod.get(container);
    if (known) return known;
    if (containers >= maxContainers) return undefined;
    containers += 1;
    ofPod.set(container, (known = { at: 0 }));
    pods.set(key, ofPod);
    return known;
  };
  for (const line of text.split('\n')) {
    if (line.length > maxLine) continue;
    const [, name = '', labels = '', number = '', time] = samplePattern.exec(line) ?? [];
    const value = Number(number);
    if (number === '' || !Number.isFinite(value) || value < 0) continue;
    const ofNode = Object.hasOwn(seriesOfNode, name) ? seriesOfNode[name] : undefined;
    const ofContainer = Object.hasOwn(seriesOfContainer, name) ? seriesOfContainer[name] : undefined;
    const into = ofNode ? node : ofContainer ? containerOf(labels) : undefined;
    if (!into) continue;
    into[(ofNode ?? ofContainer)!] = value;
    into.at = Math.max(into.at, time === undefined ? now : Number(time));
  }
  return { node: whole(node), pods: wholePods(pods) };
}

/** `name{labels} value timestamp`; a label's value may hold a brace. */
const samplePattern =
  /^([A-Za-z_:][\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+([-+\w.]+)(?:[ \t]+(\d{1,15}))?[ \t\r]*$/;
const labelPattern = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"/g;

function parseLabels(text: string): { namespace?: string; pod?: string; container?: string } {
  const labels: Record<string, string> = {};
  for (const [, name = '', value = ''] of text.matchAll(labelPattern)) {
    labels[name] = value.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char));
  }
  return labels;
}

/** Half a reading says nothing. */
const whole = ({ at, cpuSeconds, memoryBytes }: Half): Reading | undefined =>
  cpuSeconds === undefined || memoryBytes === undefined ? undefined : { at: instant(at), cpuSeconds, memoryBytes };

/** A pod of which one container is missing would look smaller than it is. */
function wholePods(pods: ReadonlyMap<string, ReadonlyMap<string, Half>>): Map<string, Map<string, Reading>> {
  const result = new Map<string, Map<string, Reading>>();
  for (const [key, containers] of pods) {
    const readings = [...containers].map(([name, partial]) => [name, whole(partial)] as const);
    if (readings.every((entry): entry is readonly [string, Reading] => entry[1] !== undefined))
      result.set(key, new Map(readings));
  }
  return result;
}
