// Every namespace has the ConfigMap kube-root-ca.crt, from which pods learn whom to trust as the API server.
import { done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { jsonEqual } from '@kedge/model/k8s-patch';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { ensureInNamespace, isActiveNamespace } from '../runtime/ensure-in-namespace.ts';

const name = 'kube-root-ca.crt';
const annotations = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
};

/** `rootCa` is the PEM of the CA that signed the API server's certificate. */
export function createRootCaPublisher(deps: ControllerDeps & { readonly rootCa: string }): Module {
  const { api, cluster, rootCa } = deps;
  const namespaces = cluster.of(collections.namespaces);
  // Only this one name: there may be many large ConfigMaps that are none of our business.
  const published = cluster.of(collections.configMaps, { fieldSelector: `metadata.name=${name}` });
  const data = { 'ca.crt': rootCa };

  async function reconcile(namespace: string, signal: AbortSignal): Promise<Next> {
    if (!isActiveNamespace(namespaces.get(namespace))) return done;
    const present = published.get(`${namespace}/${name}`);
    if (!present) {
      const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, annotations }, data };
      await ensureInNamespace(api, collections.configMaps, configMap, signal);
    } else if (!jsonEqual(present.data, data)) {
      await api.update(collections.configMaps, { ...present, data }, { signal });
    }
    return done;
  }

  return createController(deps, {
    name: 'root-ca-publisher',
    reads: [namespaces, published],
    watch: (queue) => [
      namespaces.listen({ onPut: ({ metadata }) => queue.enqueue(metadata.name ?? '') }),
      published.listen({
        onPut: ({ metadata }) => queue.enqueue(metadata.namespace ?? ''),
        onDelete: ({ metadata }) => queue.enqueue(metadata.namespace ?? ''),
      }),
    ],
    reconcile,
  });
}
