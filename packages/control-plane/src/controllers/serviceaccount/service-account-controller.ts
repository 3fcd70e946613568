// Every namespace has a ServiceAccount named "default", because pods that name none run as it.
import { done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { ensureInNamespace, isActiveNamespace } from '../runtime/ensure-in-namespace.ts';

const name = 'default';

export function createServiceAccountController(deps: ControllerDeps): Module {
  const { api, cluster } = deps;
  const namespaces = cluster.of(collections.namespaces);
  const accounts = cluster.of(collections.serviceAccounts);

  async function reconcile(namespace: string, signal: AbortSignal): Promise<Next> {
    if (!isActiveNamespace(namespaces.get(namespace)) || accounts.get(`${namespace}/${name}`)) return done;
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
    await ensureInNamespace(api, collections.serviceAccounts, account, signal);
    return done;
  }

  return createController(deps, {
    name: 'serviceaccount',
    reads: [namespaces, accounts],
    watch: (queue) => [
      namespaces.listen({ onPut: ({ metadata }) => queue.enqueue(metadata.name ?? '') }),
      accounts.listen({ onDelete: ({ metadata }) => queue.enqueue(metadata.namespace ?? '') }),
    ],
    reconcile,
  });
}
