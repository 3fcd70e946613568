// Which ConfigMaps and Secrets a pod needs. Source: Kubernetes pod specification, core/v1.
import type { Container, Pod } from '@kedge/model/k8s-types';
import type { ObjectRef } from '@kedge/model/messages';

export function referencedObjects(pod: Pod): ObjectRef[] {
  const namespace = pod.metadata.namespace;
  const found: ObjectRef[] = [];
  const add = (type: 'configmap' | 'secret', name: string | undefined): void => {
    if (name) found.push({ type, namespace, name });
  };
  const { volumes = [], containers = [], initContainers = [], imagePullSecrets = [] } = pod.spec ?? {};
  for (const volume of volumes) {
    add('configmap', volume.configMap?.name);
    add('secret', volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      add('configmap', source.configMap?.name);
      add('secret', source.secret?.name);
    }
  }
  for (const container of [...containers, ...initContainers] as Container[]) {
    for (const source of container.envFrom ?? []) {
      add('configmap', source.configMapRef?.name);
      add('secret', source.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add('configmap', valueFrom?.configMapKeyRef?.name);
      add('secret', valueFrom?.secretKeyRef?.name);
    }
  }
  for (const secret of imagePullSecrets) add('secret', secret.name);
  return found;
}
