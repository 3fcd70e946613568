// Labels of a Node that a node does not give itself, because workloads and permissions follow them.
const restrictedDomain = 'node-restriction.kubernetes.io';
const controlPlane: readonly string[] = ['node-role.kubernetes.io/control-plane', 'node-role.kubernetes.io/master'];

export function isRestrictedLabel(label: string): boolean {
  const [domain = ''] = label.split('/', 1);
  return domain === restrictedDomain || domain.endsWith(`.${restrictedDomain}`);
}

/** Edges of KubeEdge may bring one along when they register: it is dropped then rather than refused. */
export const isControlPlaneLabel = (label: string): boolean => controlPlane.includes(label);
