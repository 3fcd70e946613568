// NodeMetrics and PodMetrics (metrics.k8s.io/v1beta1), made from usage when somebody asks. Pure.
import { between, formatDuration, type Instant, toTime } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';
import type { Node, Pod } from '@kedge/model/k8s-types';
import type { Usage } from './usage-history.ts';

export const metricsVersion = 'metrics.k8s.io/v1beta1';

export interface ResourceUsage {
  readonly cpu: string;
  readonly memory: string;
}
interface Metrics extends KubeObject {
  readonly timestamp: string;
  readonly window: string;
}
export type NodeMetrics = Metrics & { readonly usage: ResourceUsage };
export type PodMetrics = Metrics & {
  readonly containers: readonly { readonly name: string; readonly usage: ResourceUsage }[];
};

export const nodeMetrics = ({ metadata }: Node, usage: Usage, now: Instant): NodeMetrics => ({
  kind: 'NodeMetrics',
  apiVersion: metricsVersion,
  metadata: metadataOf(metadata, now),
  ...times(usage),
  usage: amounts(usage),
});

/** The timestamp is the oldest of the containers', as is fair to whoever judges how fresh it is. */
export function podMetrics({ metadata }: Pod, usages: ReadonlyMap<string, Usage>, now: Instant): PodMetrics {
  const [first, ...others] = usages.values();
  const oldest = others.reduce((old, one) => (between(one.at, old.at) > 0 ? one : old), first!);
  return {
    kind: 'PodMetrics',
    apiVersion: metricsVersion,
    metadata: metadataOf(metadata, now),
    ...times(oldest),
    containers: [...usages].map(([name, usage]) => ({ name, usage: amounts(usage) })),
  };
}

const metadataOf = ({ name, namespace, labels }: KubeObject['metadata'], now: Instant): KubeObject['metadata'] => ({
  name: name ?? '',
  ...(namespace === undefined ? {} : { namespace }),
  creationTimestamp: toTime(now),
  ...(labels ? { labels } : {}),
});

const times = ({ at, window }: Usage): { timestamp: string; window: string } => ({
  timestamp: toTime(at),
  window: formatDuration(window),
});

const amounts = ({ cpuNanos, memoryBytes }: Usage): ResourceUsage => ({
  cpu: cpuNanos === 0 ? '0' : `${cpuNanos}n`,
  memory: `${Math.round(memoryBytes / 1024)}Ki`,
});
