// Defaults of volumes.
import type { DownwardAPIVolumeFile, ProjectedVolumeSource, Volume, VolumeProjection } from '../k8s-types/index.ts';
import { defaultPullPolicy } from './container-defaults.ts';

const fileMode = 0o644;
const hour = 3_600;

export function defaultVolume(volume: Volume): Volume {
  // A volume without a source is an empty directory.
  if (Object.keys(volume).every((field) => field === 'name')) return { ...volume, emptyDir: {} };
  const { secret, configMap, downwardAPI, projected, hostPath, image, ephemeral } = volume;
  const template = ephemeral?.volumeClaimTemplate;
  return {
    ...volume,
    ...(secret ? { secret: { ...secret, defaultMode: secret.defaultMode ?? fileMode } } : {}),
    ...(configMap ? { configMap: { ...configMap, defaultMode: configMap.defaultMode ?? fileMode } } : {}),
    ...(downwardAPI
      ? {
          downwardAPI: {
            ...downwardAPI,
            defaultMode: downwardAPI.defaultMode ?? fileMode,
            ...(downwardAPI.items ? { items: downwardAPI.items.map(defaultFile) } : {}),
          },
        }
      : {}),
    ...(projected ? { projected: defaultProjected(projected) } : {}),
    ...(hostPath ? { hostPath: { ...hostPath, type: hostPath.type ?? '' } } : {}),
    ...(image ? { image: { ...image, pullPolicy: image.pullPolicy || defaultPullPolicy(image.reference ?? '') } } : {}),
    ...(template
      ? {
          ephemeral: {
            ...ephemeral,
            volumeClaimTemplate: {
              ...template,
              spec: { ...template.spec, volumeMode: template.spec?.volumeMode ?? 'Filesystem' },
            },
          },
        }
      : {}),
  };
}

const defaultProjected = (projected: ProjectedVolumeSource): ProjectedVolumeSource => ({
  ...projected,
  defaultMode: projected.defaultMode ?? fileMode,
  ...(projected.sources ? { sources: projected.sources.map(defaultProjection) } : {}),
});

function defaultProjection(source: VolumeProjection): VolumeProjection {
  const { serviceAccountToken: token, downwardAPI } = source;
  return {
    ...source,
    ...(token ? { serviceAccountToken: { ...token, expirationSeconds: token.expirationSeconds ?? hour } } : {}),
    ...(downwardAPI?.items ? { downwardAPI: { ...downwardAPI, items: downwardAPI.items.map(defaultFile) } } : {}),
  };
}

const defaultFile = (file: DownwardAPIVolumeFile): DownwardAPIVolumeFile =>
  file.fieldRef ? { ...file, fieldRef: { ...file.fieldRef, apiVersion: file.fieldRef.apiVersion || 'v1' } } : file;
