// What the OpenAPI documents say about metrics.k8s.io/v1beta1.
import type { Definition } from '@kedge/engine/kube-api';

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const own = 'io.k8s.metrics.pkg.apis.metrics.v1beta1';

const usage = {
  description: 'What is in use, by the name of the resource: cpu and memory.',
  type: 'object',
  additionalProperties: { $ref: 'io.k8s.apimachinery.pkg.api.resource.Quantity' },
};

function metricsOf(kind: string, what: string, properties: Readonly<Record<string, unknown>>): Definition {
  return {
    description: `${kind} is what ${what} used while it was last looked at.`,
    type: 'object',
    required: ['timestamp', 'window', ...Object.keys(properties)],
    properties: {
      timestamp: { description: 'The end of the time that was looked at.', $ref: `${meta}.Time` },
      window: { description: 'How long that time was.', type: 'string' },
      ...properties,
    },
    'x-kubernetes-group-version-kind': [{ group: 'metrics.k8s.io', version: 'v1beta1', kind }],
  };
}

export const metricsDefinitions: Readonly<Record<string, Definition>> = {
  [`${own}.ContainerMetrics`]: {
    description: 'ContainerMetrics is what one container of a pod used.',
    type: 'object',
    required: ['name', 'usage'],
    properties: { name: { description: 'The name of the container in its pod.', type: 'string' }, usage },
  },
  [`${own}.NodeMetrics`]: metricsOf('NodeMetrics', 'a node', { usage }),
  [`${own}.PodMetrics`]: metricsOf('PodMetrics', 'a pod', {
    containers: {
      description: 'What each container used.',
      type: 'array',
      items: { $ref: `${own}.ContainerMetrics` },
    },
  }),
};
