// Objects that rows work on.
import type { KubeObject } from '@kedge/model/k8s';
import type { ResourceRequirements } from '@kedge/model/k8s-types';

const template = (app: string, image: string) => ({
  metadata: { labels: { app } },
  spec: { containers: [{ name: 'main', image, ports: [{ containerPort: 80 }] }] },
});

export const deployment = (name: string, replicas = 1, image = 'busybox:1'): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, labels: { app: name } },
  spec: { replicas, selector: { matchLabels: { app: name } }, template: template(name, image) },
});

export const pod = (name: string, labels: Record<string, string> = { app: name }): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels },
  spec: { containers: [{ name: 'main', image: 'busybox:1' }] },
});

export const sizedPod = (name: string, resources: ResourceRequirements): KubeObject => ({
  ...pod(name),
  spec: { containers: [{ name: 'main', image: 'busybox:1', resources }] },
});

export const statefulSet = (name: string, replicas = 1): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name },
  spec: {
    replicas,
    serviceName: name,
    selector: { matchLabels: { app: name } },
    template: template(name, 'busybox:1'),
  },
});

export const daemonSet = (name: string): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'DaemonSet',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      // Only on the nodes that all rows share.
      spec: { containers: [{ name: 'main', image: 'busybox:1' }], nodeSelector: { rack: 'shared' } },
    },
  },
});

export const job = (name: string): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name },
  spec: { template: { spec: { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1' }] } } },
});

export const cronJob = (name: string): KubeObject => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name },
  spec: { schedule: '0 3 * * *', jobTemplate: { spec: job(name)['spec'] } },
});

export const configMap = (name: string, data: Record<string, string> = {}, labels?: Record<string, string>) =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...(labels ? { labels } : {}) }, data }) as KubeObject;

export const service = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ port: 80 }] },
});

export const serviceAccount = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ServiceAccount',
  metadata: { name },
});

export const node = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
  status: {
    capacity: { cpu: '4', memory: '8Gi', pods: '500' },
    allocatable: { cpu: '4', memory: '8Gi', pods: '500' },
    addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
    conditions: [{ type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }],
    nodeInfo: {
      machineID: '',
      systemUUID: '',
      bootID: '',
      kernelVersion: '6.1',
      osImage: 'Linux',
      containerRuntimeVersion: 'containerd://2.0',
      kubeletVersion: 'v1.32.0',
      kubeProxyVersion: '',
      operatingSystem: 'linux',
      architecture: 'amd64',
    },
  },
});

/** As a manifest: JSON is YAML, and several objects make a list. */
export const manifest = (...items: KubeObject[]): string =>
  JSON.stringify(items.length === 1 ? items[0] : { apiVersion: 'v1', kind: 'List', items });

/** A kind that is not built in. */
export const lampDefinition: KubeObject = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'lamps.example.com' },
  spec: {
    group: 'example.com',
    scope: 'Namespaced',
    names: { plural: 'lamps', singular: 'lamp', kind: 'Lamp' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: 'Lamp is a source of light.',
            properties: {
              spec: {
                type: 'object',
                description: 'How the lamp shines.',
                properties: { color: { type: 'string', description: 'Its color.', enum: ['red', 'green'] } },
              },
            },
          },
        },
      },
    ],
  },
};
