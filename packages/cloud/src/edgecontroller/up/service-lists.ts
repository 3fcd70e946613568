// The services around a pod, as far as its environment names them: those of its namespace that have an address, and
// `default/kubernetes`. Read from the API when an edge is about to make a container, and shared by all that ask meanwhile.
import { JoinedCalls, orAbort } from '@kedge/core/flow';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import type { Service } from '@kedge/model/k8s-types';
import type { Answer } from './answer.ts';

/** An environment with more of them could not be handed to a program anyway. */
const mostServices = 5_000;

const services = { group: '', version: 'v1', resource: 'services' };

export function createServiceLists(kube: KubeApi) {
  const joined = new JoinedCalls<readonly KubeObject[]>();

  async function read(namespace: string): Promise<readonly KubeObject[]> {
    const { items } = await kube.list(services, { namespace });
    const found = (items as Service[]).filter(hasAddress).slice(0, mostServices);
    if (namespace === 'default') return found.map(toLink);
    const master = await kube.list(services, { namespace: 'default', fieldSelector: 'metadata.name=kubernetes' });
    return [...(master.items as Service[]).filter(hasAddress), ...found].map(toLink);
  }

  return {
    async of(namespace: string, signal: AbortSignal): Promise<Answer> {
      const items = await orAbort(
        joined.call(namespace, () => read(namespace)),
        signal,
      );
      return { outcome: { ok: true, value: { apiVersion: 'v1', kind: 'ServiceList', metadata: {}, items } } };
    },
  };
}

/** Not headless, not merely another name. */
const hasAddress = ({ spec }: Service): boolean => {
  const { clusterIP = '', ports = [] } = spec ?? {};
  return clusterIP !== '' && clusterIP !== 'None' && ports.length > 0;
};

const toLink = ({ metadata, spec }: Service): KubeObject => ({
  metadata: { name: metadata.name ?? '', namespace: metadata.namespace ?? '' },
  spec: {
    clusterIP: spec?.clusterIP,
    ports: spec?.ports?.map(({ name, port, protocol }) => ({
      ...(name ? { name } : {}),
      port,
      ...(protocol && protocol !== 'TCP' ? { protocol } : {}),
    })),
  },
});
