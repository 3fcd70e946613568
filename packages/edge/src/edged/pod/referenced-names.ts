// Which ConfigMaps and Secrets a pod uses.
import type { Pod } from '@kedge/model/k8s-types';
import { allContainersOf, specOf } from './pod-spec.ts';

export function mentions(pod: Pod, type: 'configmap' | 'secret', name: string): boolean {
  return (type === 'configmap' ? configMapNames(pod) : secretNames(pod)).has(name);
}

function configMapNames(pod: Pod): Set<string | undefined> {
  const names = new Set<string | undefined>();
  for (const { configMap, projected } of specOf(pod).volumes ?? []) {
    names.add(configMap?.name);
    for (const source of projected?.sources ?? []) names.add(source.configMap?.name);
  }
  for (const { env = [], envFrom = [] } of allContainersOf(pod)) {
    for (const { valueFrom } of env) names.add(valueFrom?.configMapKeyRef?.name);
    for (const { configMapRef } of envFrom) names.add(configMapRef?.name);
  }
  return names;
}

function secretNames(pod: Pod): Set<string | undefined> {
  const names = new Set<string | undefined>(specOf(pod).imagePullSecrets?.map(({ name }) => name));
  for (const { secret, projected } of specOf(pod).volumes ?? []) {
    names.add(secret?.secretName);
    for (const source of projected?.sources ?? []) names.add(source.secret?.name);
  }
  for (const { env = [], envFrom = [] } of allContainersOf(pod)) {
    for (const { valueFrom } of env) names.add(valueFrom?.secretKeyRef?.name);
    for (const { secretRef } of envFrom) names.add(secretRef?.name);
  }
  return names;
}
