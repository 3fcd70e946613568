// How the cluster's own objects are written: reads straight from the store, writes through the API like everybody's.
import type { KubeApi } from '@kedge/engine/kube-client';
import type { GroupVersionResource } from '@kedge/model/k8s';
import { collectionOf } from '../kinds/kind.ts';
import type { Collections } from '../objects/collections.ts';
import type { BootstrapApi } from './default-objects.ts';

export function createBootstrapApi(api: KubeApi, collections: Collections): BootstrapApi {
  const get = ({ group, resource }: GroupVersionResource, namespace = '', name = '') =>
    collections.get(collectionOf(group, resource), namespace, name);
  return {
    get,
    async create(of, object) {
      await api.create(of, object.metadata.namespace, object);
    },
    async replace(of, object) {
      const { namespace, name } = object.metadata;
      if (get(of, namespace, name)) await api.update(of, object);
      else await api.create(of, namespace, object);
    },
  };
}
