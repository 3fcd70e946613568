// Mirrors Endpoints that somebody else keeps as EndpointSlices: whoever routes traffic looks at slices only.
import { done, type Next } from '@kedge/core/control';
import type { Module } from '@kedge/core/module';
import { collections } from '@kedge/engine/kube-client';
import { isStatus, objectKey } from '@kedge/model/k8s';
import type { EndpointSlice } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { OwnWrites } from '../runtime/own-writes.ts';
import { isMirror, isMirrored, planMirrors } from './mirror-slices.ts';
import { serviceNameLabel } from './plan-slices.ts';
import { serviceSelector } from './service-backends.ts';

export function createEndpointSliceMirroring(deps: ControllerDeps): Module {
  const { api, cluster } = deps;
  const services = cluster.of(collections.services);
  const endpoints = cluster.of(collections.endpoints);
  const slices = cluster.of(collections.endpointSlices);
  const slicesByNamespace = cluster.byNamespace(collections.endpointSlices);
  const own = new OwnWrites<EndpointSlice>(slices);

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const service = services.get(key);
    const all = endpoints.get(key);
    const isWanted = service && !serviceSelector(service) && all && isMirrored(all);
    const namespace = key.split('/')[0]!;
    const name = key.slice(namespace.length + 1);
    const existing = own
      .view(key, slicesByNamespace.get(namespace))
      .filter(({ metadata }) => metadata.labels?.[serviceNameLabel] === name)
      .filter((slice) => isMirror(slice) && slice.metadata.deletionTimestamp === undefined);
    const plan = planMirrors(isWanted ? all : undefined, existing);
    for (const slice of plan.create) {
      const made = await api.create(collections.endpointSlices, namespace, slice, { signal });
      own.created(key, made as EndpointSlice);
    }
    for (const slice of plan.update) await api.update(collections.endpointSlices, slice, { signal });
    for (const slice of plan.delete) {
      const { name: of = '', uid = '' } = slice.metadata;
      await api.delete(collections.endpointSlices, { namespace, name: of }, { uid, signal }).catch((error: unknown) => {
        if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
      });
      own.deleted(key, slice);
    }
    if (!service && !all) own.forget(key);
    return done;
  }

  return createController(deps, {
    name: 'endpointslicemirroring',
    reads: [services, endpoints, slices],
    watch: (queue) => {
      const wake = (object: { metadata: { namespace?: string; name?: string } }): void =>
        queue.enqueue(objectKey(object));
      const wakeOwner = (slice: EndpointSlice): void => {
        const name = slice.metadata.labels?.[serviceNameLabel];
        if (name !== undefined && isMirror(slice)) queue.enqueue(`${slice.metadata.namespace}/${name}`);
      };
      return [
        services.listen({ onPut: wake, onDelete: wake }),
        endpoints.listen({ onPut: wake, onDelete: wake }),
        slices.listen({ onPut: wakeOwner, onDelete: wakeOwner }),
      ];
    },
    reconcile,
  });
}
