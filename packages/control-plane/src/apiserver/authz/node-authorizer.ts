// What the agent of one node may do: its own Node, lease and pods, and what its pods refer to.
import type { ApiUser } from '@kedge/engine/kube-api';
import { podReferences, type ReferencedType } from '@kedge/model/k8s-pods';
import type { Pod } from '@kedge/model/k8s-types';
import { type Attributes, type Authorizer, selectedValue } from './attributes.ts';

const nodesGroup = 'system:nodes';
const userPrefix = 'system:node:';

export const nodeOf = (user: ApiUser): string | undefined =>
  user.groups.includes(nodesGroup) && user.name.startsWith(userPrefix) ? user.name.slice(userPrefix.length) : undefined;

const reads = new Set(['get', 'list', 'watch']);

export interface NodePods {
  get(namespace: string, name: string): Pod | undefined;
  /** The pods of a namespace that are bound to a node. */
  on(node: string, namespace: string): Iterable<Pod>;
  /** The claim that a volume is bound to. */
  claimOf(volume: string): { readonly namespace: string; readonly name: string } | undefined;
  /** The node of a volume attachment. */
  attachedTo(attachment: string): string | undefined;
}

export function createNodeAuthorizer(pods: NodePods): Authorizer {
  const allowed = { allowed: true, reason: 'node authorizer' } as const;
  const refused = { allowed: false, reason: '' } as const;
  return {
    decide(user, attributes) {
      const node = nodeOf(user);
      if (node === undefined || !attributes.isResource) return refused;
      return mayNode(node, attributes, pods) ? allowed : refused;
    },
  };
}

function mayNode(node: string, asked: Attributes & { isResource: true }, pods: NodePods): boolean {
  const { verb, group, resource, subresource, namespace, name } = asked;
  const refers = (test: (pod: Pod) => boolean): boolean => {
    for (const pod of pods.on(node, namespace)) if (test(pod)) return true;
    return false;
  };
  switch (group ? `${resource}.${group}` : resource) {
    case 'nodes':
      return verb === 'create' || (name === node && [...reads, 'update', 'patch'].includes(verb));
    case 'pods':
      if (verb === 'create' || subresource === 'eviction') return true;
      // Lists have to say that they are for this node alone.
      if (verb === 'list' || verb === 'watch')
        return selectedValue(asked.fieldSelector ?? '', 'spec.nodeName') === node;
      return ['get', 'delete', 'update', 'patch'].includes(verb) && pods.get(namespace, name)?.spec?.nodeName === node;
    case 'services':
    case 'endpoints':
    case 'endpointslices.discovery.k8s.io':
    case 'runtimeclasses.node.k8s.io':
    case 'csidrivers.storage.k8s.io':
      return reads.has(verb);
    case 'persistentvolumeclaims':
      if (subresource === 'status') return verb === 'get' || verb === 'patch' || verb === 'update';
      return verb === 'get' && refers((pod) => refersTo(pod, 'persistentvolumeclaim', name));
    case 'persistentvolumes':
      return verb === 'get' && claimOf(node, name, pods);
    case 'volumeattachments.storage.k8s.io':
      return verb === 'get' && pods.attachedTo(name) === node;
    case 'leases.coordination.k8s.io':
      return namespace === 'kube-node-lease' && (name === node || verb === 'create') && verb !== 'list';
    case 'csinodes.storage.k8s.io':
      return name === node || verb === 'create';
    case 'events':
    case 'events.events.k8s.io':
      return ['create', 'update', 'patch'].includes(verb);
    case 'certificatesigningrequests.certificates.k8s.io':
      return ['create', 'get', 'list', 'watch'].includes(verb);
    case 'secrets':
      return reads.has(verb) && name !== '' && refers((pod) => refersTo(pod, 'secret', name));
    case 'configmaps':
      return reads.has(verb) && name !== '' && refers((pod) => refersTo(pod, 'configmap', name));
    case 'serviceaccounts':
      if (verb !== 'get' && !(verb === 'create' && subresource === 'token')) return false;
      return refers((pod) => (pod.spec?.serviceAccountName ?? 'default') === name);
    default:
      return (
        ['tokenreviews', 'subjectaccessreviews', 'localsubjectaccessreviews'].includes(resource) && verb === 'create'
      );
  }
}

const refersTo = (pod: Pod, type: ReferencedType, name: string): boolean =>
  podReferences(pod).some((one) => one.type === type && one.name === name);

/** Whether the volume belongs to a claim that a pod of the node uses. */
function claimOf(node: string, volume: string, pods: NodePods): boolean {
  const claim = pods.claimOf(volume);
  if (!claim) return false;
  for (const pod of pods.on(node, claim.namespace)) if (refersTo(pod, 'persistentvolumeclaim', claim.name)) return true;
  return false;
}
