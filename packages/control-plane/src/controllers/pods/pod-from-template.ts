// A pod made from a controller's template.
import type { OwnerReference } from '@kedge/model/k8s';
import type { Pod, PodTemplateSpec } from '@kedge/model/k8s-types';

export function podFromTemplate(
  template: PodTemplateSpec | undefined,
  names: { readonly name: string } | { readonly generateName: string },
  controller: OwnerReference,
): Pod {
  const { labels, annotations, finalizers } = template?.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...names,
      ...(labels ? { labels } : {}),
      ...(annotations ? { annotations } : {}),
      ...(finalizers ? { finalizers } : {}),
      ownerReferences: [controller],
    },
    ...(template?.spec ? { spec: template.spec } : {}),
  };
}
