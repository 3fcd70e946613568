// Writes the EndpointSlices of every Service that selects pods.
import { done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { isStatus } from '@kedge/model/k8s';
import { matchesLabels } from '@kedge/model/k8s-selectors';
import type { EndpointSlice, Service } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { OwnWrites } from '../runtime/own-writes.ts';
import { isManaged, planSlices, serviceNameLabel, type SlicePlan } from './plan-slices.ts';
import { backendsOf, serviceSelector } from './service-backends.ts';
import { watchServices } from './service-watch.ts';

const zoneLabel = 'topology.kubernetes.io/zone';

export function createEndpointSliceController(deps: ControllerDeps): Module {
  const { api, cluster } = deps;
  const events = deps.events('endpoint-slice-controller');
  const services = cluster.of(collections.services);
  const servicesByNamespace = cluster.byNamespace(collections.services);
  const slices = cluster.of(collections.endpointSlices);
  const slicesByNamespace = cluster.byNamespace(collections.endpointSlices);
  const nodes = cluster.of(collections.nodes);
  const own = new OwnWrites<EndpointSlice>(slices);

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const service = services.get(key);
    const selector = service && serviceSelector(service);
    if (!service || service.metadata.deletionTimestamp !== undefined || !selector) {
      // Slices of a Service that is gone go by their owner reference.
      own.forget(key);
      return done;
    }
    const { namespace = '', name = '' } = service.metadata;
    const selected = [...cluster.podsByNamespace.get(namespace)].filter(({ metadata }) =>
      matchesLabels(selector, metadata.labels),
    );
    const existing = own
      .view(key, slicesByNamespace.get(namespace))
      .filter((slice) => slice.metadata.labels?.[serviceNameLabel] === name && isManaged(slice))
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    const zoneOf = (node: string) => nodes.get(node)?.metadata.labels?.[zoneLabel];
    await act(key, service, planSlices(service, backendsOf(service, selected), existing, zoneOf), signal);
    return done;
  }

  async function act(key: string, service: Service, plan: SlicePlan, signal: AbortSignal): Promise<void> {
    try {
      for (const slice of plan.create) {
        own.created(
          key,
          (await api.create(collections.endpointSlices, slice.metadata.namespace, slice, { signal })) as EndpointSlice,
        );
      }
      for (const slice of plan.update) await api.update(collections.endpointSlices, slice, { signal });
      for (const slice of plan.delete) await remove(key, slice, signal);
    } catch (error) {
      if (isStatus(error, 'Conflict')) throw error;
      const message = `Error updating Endpoint Slices for Service ${key}: ${explain(error)}`;
      events.warning(service, 'FailedToUpdateEndpointSlices', message);
      throw error;
    }
  }

  async function remove(key: string, slice: EndpointSlice, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = slice.metadata;
    await api.delete(collections.endpointSlices, { namespace, name }, { uid, signal }).catch((error: unknown) => {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    });
    own.deleted(key, slice);
  }

  const serviceKey = ({ metadata }: EndpointSlice): string | undefined => {
    const name = metadata.labels?.[serviceNameLabel];
    return name === undefined ? undefined : `${metadata.namespace}/${name}`;
  };

  return createController(deps, {
    name: 'endpointslice',
    reads: [services, slices, nodes, cluster.pods],
    watch: (queue) => {
      const wake = (slice: EndpointSlice) => {
        const key = serviceKey(slice);
        if (key !== undefined && isManaged(slice)) queue.enqueue(key);
      };
      return [
        ...watchServices({ services, servicesByNamespace, pods: cluster.pods }, queue),
        slices.listen({ onPut: wake, onDelete: wake }),
        nodes.listen({
          onPut(node, before) {
            if (before?.metadata.labels?.[zoneLabel] === node.metadata.labels?.[zoneLabel]) return;
            for (const service of services.list())
              queue.enqueue(`${service.metadata.namespace}/${service.metadata.name}`);
          },
        }),
      ];
    },
    reconcile,
  });
}
