// Writes the Endpoints of every Service that selects pods.
import { done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import { matchesLabels } from '@kedge/model/k8s-selectors';
import type { Endpoints, Service } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { planEndpoints } from './plan-endpoints.ts';
import { backendsOf, serviceSelector } from './service-backends.ts';
import { watchServices } from './service-watch.ts';

export function createEndpointsController(deps: ControllerDeps): Module {
  const { api, cluster } = deps;
  const events = deps.events('endpoint-controller');
  const services = cluster.of(collections.services);
  const servicesByNamespace = cluster.byNamespace(collections.services);
  const copies = cluster.of(collections.endpoints);

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const service = services.get(key);
    const before = copies.get(key);
    if (!service) {
      // Endpoints that somebody writes by hand go with their Service as well.
      if (before) await remove(before, signal);
      return done;
    }
    const selector = serviceSelector(service);
    if (!selector) return done;
    const inNamespace = [...cluster.podsByNamespace.get(service.metadata.namespace ?? '')];
    const selected = inNamespace.filter(({ metadata }) => matchesLabels(selector, metadata.labels));
    await write(service, planEndpoints(service, backendsOf(service, selected), before), before, signal);
    return done;
  }

  async function write(
    service: Service,
    next: Endpoints,
    before: Endpoints | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      if (!before) await api.create(collections.endpoints, next.metadata.namespace, next, { signal });
      else if (!same(before, next)) await api.update(collections.endpoints, next, { signal });
    } catch (error) {
      if (isStatus(error, 'Conflict') || isStatus(error, 'AlreadyExists')) throw error;
      const [reason, verb] = before ? ['FailedToUpdateEndpoint', 'update'] : ['FailedToCreateEndpoint', 'create'];
      events.warning(service, reason!, `Failed to ${verb} endpoint: ${explain(error)}`);
      throw error;
    }
  }

  async function remove({ metadata }: Endpoints, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = metadata;
    await api.delete(collections.endpoints, { namespace, name }, { uid, signal }).catch((error: unknown) => {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    });
  }

  return createController(deps, {
    name: 'endpoints',
    reads: [services, copies, cluster.pods],
    watch: (queue) => [
      ...watchServices({ services, servicesByNamespace, pods: cluster.pods }, queue),
      copies.listen({
        onDelete: ({ metadata }) => queue.enqueue(`${metadata.namespace}/${metadata.name}`),
      }),
    ],
    reconcile,
  });
}

/** Empty and absent are the same here. */
const same = (a: Endpoints, b: Endpoints): boolean =>
  jsonEqual(a.subsets ?? [], b.subsets ?? []) &&
  jsonEqual(a.metadata.labels ?? {}, b.metadata.labels ?? {}) &&
  jsonEqual(a.metadata.annotations ?? {}, b.metadata.annotations ?? {});
