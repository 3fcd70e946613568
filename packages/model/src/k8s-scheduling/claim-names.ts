// Which volume claims a pod uses. Pure.
import type { Pod } from '../k8s-types/index.ts';

/** The claims a pod names itself, and those that are made for it. */
export const claimNames = ({ metadata, spec }: Pod): string[] =>
  (spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return [persistentVolumeClaim.claimName];
    return ephemeral ? [`${metadata.name}-${name}`] : [];
  });
