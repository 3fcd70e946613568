// The sample workload of a new site: a namespace-local web server with one page, so that there is something to look at.
// It is applied once; whoever deletes it is not argued with.
import type { KubeObject } from '@kedge/model/k8s';
import { isStatus } from '@kedge/model/k8s';
import type { KubeApi } from '@kedge/engine/kube-client';
import { busyboxImageSpec } from '@kedge/platform/containerd';

export const sampleName = 'hello';
const sampleImage = 'registry.kedge.local/hello:1';

const page = `<!doctype html>
<html lang="en">
<title>kedge</title>
<h1>It runs.</h1>
<p>This page is served by a pod on the edge node. Cut the cable: it stays.</p>
</html>
`;

/** The image of the sample: busybox with one page, served by its httpd. */
export const sampleImageSpec = (): ReturnType<typeof busyboxImageSpec> =>
  busyboxImageSpec({
    reference: sampleImage,
    files: [
      { type: 'directory', path: 'www', mode: 0o755 },
      { type: 'file', path: 'www/index.html', mode: 0o644, content: Buffer.from(page) },
    ],
    command: ['httpd', '-f', '-p', '8080', '-h', '/www'],
  });

const labels = { 'app.kubernetes.io/name': sampleName };

const sampleObjects: readonly { resource: string; group: string; object: KubeObject }[] = [
  {
    group: 'apps',
    resource: 'deployments',
    object: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: sampleName, namespace: 'default', labels },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: {
          metadata: { labels },
          spec: {
            terminationGracePeriodSeconds: 2,
            tolerations: [{ key: 'node-role.kubernetes.io/edge', operator: 'Exists' }],
            containers: [
              {
                name: 'web',
                image: sampleImage,
                imagePullPolicy: 'IfNotPresent',
                ports: [{ name: 'http', containerPort: 8080 }],
                resources: { requests: { cpu: '10m', memory: '8Mi' }, limits: { memory: '32Mi' } },
              },
            ],
          },
        },
      },
    },
  },
  {
    group: '',
    resource: 'services',
    object: {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: sampleName, namespace: 'default', labels },
      spec: { selector: labels, ports: [{ name: 'http', port: 80, targetPort: 'http' }] },
    },
  },
];

export async function applySampleWorkload(api: KubeApi, signal: AbortSignal): Promise<void> {
  for (const { group, resource, object } of sampleObjects) {
    try {
      await api.create({ group, version: 'v1', resource }, 'default', object, { signal });
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
    }
  }
}
