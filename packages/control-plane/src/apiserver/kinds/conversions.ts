// The few built-in kinds that are served in two shapes over one collection.
import type { KubeObject } from '@kedge/model/k8s';
import type { Kind } from './kind.ts';

type Fields = Readonly<Record<string, string>>;

/** events.k8s.io/v1 name : core/v1 name */
const eventFields: Fields = {
  regarding: 'involvedObject',
  note: 'message',
  reportingController: 'reportingComponent',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
};
const reversed = (fields: Fields): Fields => Object.fromEntries(Object.entries(fields).map(([a, b]) => [b, a]));

const renamed = (object: KubeObject, fields: Fields, apiVersion: string): KubeObject => {
  const entries = Object.entries(object).map(([name, value]) => [fields[name] ?? name, value] as const);
  return { ...(Object.fromEntries(entries) as KubeObject), apiVersion };
};

const events: NonNullable<Kind['conversion']> = {
  toStored: (object) => renamed(object, eventFields, 'v1'),
  toServed: (object) => renamed(object, reversed(eventFields), 'events.k8s.io/v1'),
};

interface ResourceMetric {
  type: string;
  resource?: { name: string; target?: { type: string; averageUtilization?: number } };
}

/** autoscaling/v1 knows one target: CPU. Other metrics of a v2 object are kept in the annotation upstream uses. */
const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';

const autoscalers: NonNullable<Kind['conversion']> = {
  toStored(object) {
    const { targetCPUUtilizationPercentage: cpu, ...spec } = (object['spec'] ?? {}) as Record<string, unknown>;
    const { [metricsAnnotation]: kept, ...annotations } = object.metadata.annotations ?? {};
    const others = kept ? (JSON.parse(kept) as ResourceMetric[]) : [];
    const target = { type: 'Utilization', averageUtilization: cpu };
    const metrics = [
      ...(cpu === undefined ? [] : [{ type: 'Resource', resource: { name: 'cpu', target } }]),
      ...others,
    ];
    return {
      ...object,
      apiVersion: 'autoscaling/v2',
      metadata: { ...object.metadata, ...(kept ? { annotations } : {}) },
      spec: { ...spec, ...(metrics.length ? { metrics } : {}) },
    };
  },
  toServed(object) {
    const {
      metrics = [],
      behavior: _,
      ...spec
    } = (object['spec'] ?? {}) as { metrics?: ResourceMetric[]; behavior?: unknown };
    const cpu = metrics.find(
      (metric) => metric.resource?.name === 'cpu' && metric.resource.target?.type === 'Utilization',
    );
    const others = metrics.filter((metric) => metric !== cpu);
    const annotations = { ...object.metadata.annotations, [metricsAnnotation]: JSON.stringify(others) };
    const percentage = cpu?.resource?.target?.averageUtilization;
    return {
      ...object,
      apiVersion: 'autoscaling/v1',
      metadata: others.length ? { ...object.metadata, annotations } : object.metadata,
      spec: { ...spec, ...(percentage === undefined ? {} : { targetCPUUtilizationPercentage: percentage }) },
    };
  },
};

export function conversionOf(apiVersion: string, resource: string): Kind['conversion'] {
  if (apiVersion === 'events.k8s.io/v1' && resource === 'events') return events;
  return apiVersion === 'autoscaling/v1' && resource === 'horizontalpodautoscalers' ? autoscalers : undefined;
}
