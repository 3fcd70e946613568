// What makes a Node an edge node, and what its edgecore can do.
import type { Node } from '@kedge/model/k8s-types';

const edgeLabel = 'node-role.kubernetes.io/edge';

export const isEdgeNode = (node: Node | undefined): boolean => node?.metadata.labels?.[edgeLabel] !== undefined;

/**
 * From v1.23 on an edge does not ask for its Node but reads the copy it was sent; older ones ask every few seconds and
 * would only store what is sent. The version is in the kubelet's: `v1.32.10-kubeedge-v1.23.1`.
 */
export function wantsItsNode(node: Node): boolean {
  const found = /kubeedge-v(\d+)\.(\d+)/.exec(node.status?.nodeInfo?.kubeletVersion ?? '');
  if (!found) return false;
  const [major, minor] = [Number(found[1]), Number(found[2])];
  return major > 1 || (major === 1 && minor >= 23);
}
