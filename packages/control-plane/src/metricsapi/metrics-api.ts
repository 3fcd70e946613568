// The group metrics.k8s.io as kinds that are computed instead of kept. An API server mounts it beside its own kinds.
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Clock } from '@kedge/core/time';
import {
  age,
  type Cell,
  type CollectionTarget,
  type Definition,
  type Document,
  documentOfObject,
  type Listing,
  type ObjectApi,
  type ObjectFilter,
  type ServedResource,
  type TableLayout,
} from '@kedge/engine/kube-api';
import { collections, type SharedInformers } from '@kedge/engine/kube-client';
import { fail, type KubeObject, objectKey } from '@kedge/model/k8s';
import type { Node, Pod } from '@kedge/model/k8s-types';
import { type NodeMetrics, nodeMetrics, type PodMetrics, podMetrics } from './metrics-objects.ts';
import { metricsDefinitions } from './metrics-definitions.ts';
import { type Kubelets, MetricsScraper } from './metrics-scraper.ts';

export interface MetricsApiOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly kubelets: Kubelets;
  readonly informers: Pick<SharedInformers, 'of'>;
}

export interface MetricsApi {
  /** Scrapes while there is interest. */
  readonly module: Module;
  readonly resources: readonly ServedResource[];
  readonly objects: Pick<ObjectApi, 'get' | 'list'>;
  readonly definitions: Readonly<Record<string, Definition>>;
  layout(resource: ServedResource): TableLayout;
}

const served = (resource: string, singular: string, kind: string, namespaced: boolean): ServedResource => ({
  group: 'metrics.k8s.io',
  version: 'v1beta1',
  resource,
  singular,
  kind,
  namespaced,
  verbs: ['get', 'list'],
  shortNames: [],
  categories: [],
  subresources: {},
});
const nodesServed = served('nodes', '', 'NodeMetrics', false);
const podsServed = served('pods', '', 'PodMetrics', true);

export function createMetricsApi({ clock, log, kubelets, informers }: MetricsApiOptions): MetricsApi {
  const nodes = informers.of(collections.nodes);
  const pods = informers.of(collections.pods);
  const scraper = new MetricsScraper({
    clock,
    log: log.child({ module: 'metrics' }),
    kubelets,
    nodes: () => nodes.list(),
  });

  function ofNode(node: Node): NodeMetrics | undefined {
    const usage = scraper.of(node.metadata.name ?? '')?.node();
    return usage && nodeMetrics(node, usage, clock.now());
  }
  function ofPod(pod: Pod): PodMetrics | undefined {
    if (pod.status?.phase !== 'Running') return undefined;
    const usages = scraper.of(pod.spec?.nodeName ?? '')?.pod(objectKey(pod));
    return usages && podMetrics(pod, usages, clock.now());
  }

  function* all(resource: ServedResource, namespace: string | undefined, filter: ObjectFilter | undefined) {
    const candidates = resource.namespaced ? pods.list() : nodes.list();
    for (const object of candidates) {
      if (namespace !== undefined && object.metadata.namespace !== namespace) continue;
      if (filter && !filter.matches(object as KubeObject)) continue;
      const metrics = resource.namespaced ? ofPod(object as Pod) : ofNode(object as Node);
      if (metrics) yield documentOfObject(metrics);
    }
  }

  const objects: MetricsApi['objects'] = {
    async get({ resource, namespace, name }, _options, { signal }) {
      await scraper.demand(signal);
      const pod = resource.namespaced ? pods.get(`${namespace}/${name}`) : undefined;
      const node = resource.namespaced ? undefined : nodes.get(name);
      const metrics = pod ? ofPod(pod) : node && ofNode(node);
      if (metrics) return documentOfObject(metrics);
      const kind = `${resource.kind.toLowerCase()}.${resource.group}`;
      const full = resource.namespaced ? `${namespace}/${name}` : name;
      throw fail('NotFound', `${kind} "${full}" not found`, { name, kind, group: resource.group });
    },
    async list({ resource, namespace }: CollectionTarget, { filter }, { signal }): Promise<Listing> {
      await scraper.demand(signal);
      return {
        // These objects have no history, and nothing to watch from.
        resourceVersion: '',
        async *pages(): AsyncIterable<readonly Document[]> {
          yield [...all(resource, namespace, filter)];
        },
        tail: () => ({}),
      };
    },
  };

  return {
    module: {
      name: 'metrics',
      async start(scope) {
        scope.spawn('metrics of nodes', (signal) => scraper.run(signal).catch(() => undefined));
      },
    },
    resources: [nodesServed, podsServed],
    objects,
    definitions: metricsDefinitions,
    layout: () => layout,
  };
}

const layout: TableLayout = {
  columns: [
    { name: 'Name', type: 'string', format: 'name', description: 'Name of the resource' },
    { name: 'cpu', type: 'string', description: 'CPU in use' },
    { name: 'memory', type: 'string', description: 'Memory in use' },
    { name: 'Window', type: 'string', description: 'Time the CPU usage was measured over' },
    { name: 'Age', type: 'string', description: 'Time since the measurement' },
  ],
  row(object, now): readonly Cell[] {
    const { metadata, window, timestamp } = object as NodeMetrics;
    const usages = 'usage' in object ? [(object as NodeMetrics).usage] : [];
    const all = 'containers' in object ? (object as PodMetrics).containers.map(({ usage }) => usage) : usages;
    const sum = (read: (one: NodeMetrics['usage']) => string): number =>
      all.reduce((total, one) => total + Number.parseInt(read(one), 10), 0);
    const [cpu, memory] = [sum((one) => one.cpu), sum((one) => one.memory)];
    return [metadata.name ?? '', `${cpu}n`, `${memory}Ki`, window, age(timestamp, now)];
  },
};
