// What a pod refers to in its namespace: ConfigMaps, Secrets and claims. Source: Kubernetes pod specification, core/v1.
import type { Container, EphemeralContainer, Pod, Volume } from '../k8s-types/index.ts';

export type ReferencedType = 'configmap' | 'secret' | 'persistentvolumeclaim';

export interface Reference {
  readonly type: ReferencedType;
  readonly name: string;
}

type AnyContainer = Pick<Container | EphemeralContainer, 'env' | 'envFrom'>;

export function podReferences(pod: Pod): Reference[] {
  const found = new Map<string, Reference>();
  const add = (type: ReferencedType, name: string | undefined): void => {
    if (name) found.set(`${type}/${name}`, { type, name });
  };
  const { spec } = pod;
  for (const secret of spec?.imagePullSecrets ?? []) add('secret', secret.name);
  for (const volume of spec?.volumes ?? []) addVolume(volume, pod.metadata.name ?? '', add);
  const containers: AnyContainer[] = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []),
    ...(spec?.ephemeralContainers ?? []),
  ];
  for (const container of containers) addEnvironment(container, add);
  return [...found.values()];
}

type Add = (type: ReferencedType, name: string | undefined) => void;

function addEnvironment({ env = [], envFrom = [] }: AnyContainer, add: Add): void {
  for (const { valueFrom } of env) {
    add('configmap', valueFrom?.configMapKeyRef?.name);
    add('secret', valueFrom?.secretKeyRef?.name);
  }
  for (const source of envFrom) {
    add('configmap', source.configMapRef?.name);
    add('secret', source.secretRef?.name);
  }
}

function addVolume(volume: Volume, pod: string, add: Add): void {
  add('configmap', volume.configMap?.name);
  add('secret', volume.secret?.secretName);
  for (const source of volume.projected?.sources ?? []) {
    add('configmap', source.configMap?.name);
    add('secret', source.secret?.name);
  }
  add('persistentvolumeclaim', volume.persistentVolumeClaim?.claimName);
  if (volume.ephemeral) add('persistentvolumeclaim', `${pod}-${volume.name}`);
  add('secret', volume.csi?.nodePublishSecretRef?.name);
  add('secret', volume.azureFile?.secretName);
  const others = [volume.cephfs, volume.rbd, volume.iscsi, volume.flexVolume, volume.scaleIO, volume.storageos];
  for (const source of others) add('secret', source?.secretRef?.name);
}
