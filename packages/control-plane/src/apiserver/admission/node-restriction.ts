// A node's agent writes only what is its own: its Node without what steers other people's pods to it, mirror pods that
// refer to nothing, the status of pods that are bound to it, its lease, and tokens for its pods.
import { fail, type KubeObject, type ObjectMeta } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import { podReferences } from '@kedge/model/k8s-pods';
import type { NodeSpec, Pod, PodSpec } from '@kedge/model/k8s-types';
import { nodeOf } from '../authz/node-authorizer.ts';
import type { AdmissionRequest, AdmissionStep } from './admission.ts';

export interface NodeRestrictionDeps {
  readPod(namespace: string, name: string): KubeObject | undefined;
  readNode(name: string): KubeObject | undefined;
}

const mirrorAnnotation = 'kubernetes.io/config.mirror';
const leaseNamespace = 'kube-node-lease';

export const nodeRestriction = (deps: NodeRestrictionDeps): AdmissionStep => ({
  name: 'NodeRestriction',
  admit(request) {
    const node = nodeOf(request.user);
    if (node === undefined) return;
    const { kind, name } = request;
    const why = problem(node, request, deps);
    if (why === undefined) return;
    const { group, resource } = kind.served;
    throw fail('Forbidden', `${group ? `${resource}.${group}` : resource} "${name}" is forbidden: ${why}`, {
      name,
      ...(group ? { group } : {}),
      kind: resource,
    });
  },
});

function problem(node: string, request: AdmissionRequest, deps: NodeRestrictionDeps): string | undefined {
  const { kind, name, namespace, subresource } = request;
  switch (kind.collection) {
    case 'nodes':
      return nodeProblem(node, request);
    case 'pods':
      return podProblem(node, request, deps);
    case 'persistentvolumeclaims':
      return subresource === 'status' ? claimProblem(node, request) : 'may only update PVC status';
    case 'serviceaccounts':
      return tokenProblem(node, request, deps);
    case 'leases.coordination.k8s.io':
      if (namespace !== leaseNamespace) return `can only access leases in the "${leaseNamespace}" system namespace`;
      return name === node ? undefined : 'can only access node lease with the same name as the requesting node';
    case 'csinodes.storage.k8s.io':
      return name === node ? undefined : 'can only access CSINode with the same name as the requesting node';
    default:
      return undefined;
  }
}

function nodeProblem(node: string, { operation, name, object, before }: AdmissionRequest): string | undefined {
  if (name !== node) return `node "${node}" is not allowed to modify node "${name}"`;
  if (!object || operation === 'delete') return undefined;
  const [next, had] = [object, before].map((one) => (one?.['spec'] ?? {}) as NodeSpec) as [NodeSpec, NodeSpec];
  if (next.configSource !== undefined && !jsonEqual(next.configSource, had.configSource))
    return `node "${node}" is not allowed to set configSource`;
  const labels = forbiddenLabels(object.metadata, before?.metadata);
  if (!before) {
    return labels.length > 0
      ? `node "${node}" is not allowed to set the following labels: ${labels.join(', ')}`
      : undefined;
  }
  if (!jsonEqual(next.taints ?? [], had.taints ?? [])) return `node "${node}" is not allowed to modify taints`;
  if (!jsonEqual(object.metadata.ownerReferences ?? [], before.metadata.ownerReferences ?? []))
    return `node "${node}" is not allowed to modify ownerReferences`;
  return labels.length > 0 ? `is not allowed to modify labels: ${labels.join(', ')}` : undefined;
}

const ownLabels = new Set([
  'kubernetes.io/hostname',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
]);
const isWithin = (domain: string, of: string): boolean => domain === of || domain.endsWith(`.${of}`);

/** Labels by which pods could be lured, and those of Kubernetes that say nothing about the machine. */
function forbiddenLabels(next: ObjectMeta, had: ObjectMeta | undefined): string[] {
  const [now, was] = [next.labels ?? {}, had?.labels ?? {}];
  return [...new Set([...Object.keys(now), ...Object.keys(was)])]
    .filter((label) => now[label] !== was[label])
    .filter((label) => {
      const slash = label.indexOf('/');
      const domain = slash < 0 ? '' : label.slice(0, slash);
      if (isWithin(domain, 'node-restriction.kubernetes.io')) return true;
      if (!isWithin(domain, 'kubernetes.io') && !isWithin(domain, 'k8s.io')) return false;
      return (
        !ownLabels.has(label) && !isWithin(domain, 'kubelet.kubernetes.io') && !isWithin(domain, 'node.kubernetes.io')
      );
    })
    .sort();
}

const nodeNameOf = (pod: KubeObject | undefined): string | undefined =>
  (pod?.['spec'] as PodSpec | undefined)?.nodeName;

function podProblem(node: string, request: AdmissionRequest, deps: NodeRestrictionDeps): string | undefined {
  const { operation, subresource, name, namespace = '', object, before } = request;
  switch (subresource) {
    case undefined:
      if (operation === 'create') return mirrorProblem(node, object!, deps);
      if (operation !== 'delete')
        return `unexpected operation "UPDATE", node "${node}" can only create and delete mirror pods`;
      return nodeNameOf(before) === node
        ? undefined
        : `node "${node}" can only delete pods with spec.nodeName set to itself`;
    case 'status':
      if (nodeNameOf(before) !== node)
        return `node "${node}" can only update pod status for pods with spec.nodeName set to itself`;
      return jsonEqual(object?.metadata.labels ?? {}, before?.metadata.labels ?? {})
        ? undefined
        : `node "${node}" cannot update labels through pod status`;
    case 'eviction':
      return nodeNameOf(deps.readPod(namespace, name)) === node
        ? undefined
        : `node ${node} can only evict pods with spec.nodeName set to itself`;
    default:
      return `unexpected pod subresource "${subresource}", only 'status' and 'eviction' are allowed`;
  }
}

function mirrorProblem(node: string, object: KubeObject, deps: NodeRestrictionDeps): string | undefined {
  const { annotations, ownerReferences = [] } = object.metadata;
  const spec = (object['spec'] ?? {}) as PodSpec;
  if (annotations?.[mirrorAnnotation] === undefined)
    return `pod does not have "${mirrorAnnotation}" annotation, node "${node}" can only create mirror pods`;
  if (spec.nodeName !== node) return `node "${node}" can only create pods with spec.nodeName set to itself`;
  const [owner, ...others] = ownerReferences;
  if (others.length > 0) return `node "${node}" can only create pods with a single owner reference set to itself`;
  if (!owner || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    return `node "${node}" can only create pods with an owner reference set to itself`;
  if (!owner.controller) return `node "${node}" can only create pods with a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion) return `node "${node}" must not set blockOwnerDeletion on an owner reference`;
  const uid = deps.readNode(node)?.metadata.uid ?? '';
  if (owner.uid !== uid) return `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`;
  return referenceProblem(node, object, spec);
}

/** What a mirror pod refers to its node could read. */
function referenceProblem(node: string, object: KubeObject, spec: PodSpec): string | undefined {
  const cannot = (what: string): string => `node "${node}" can not create pods that reference ${what}`;
  if (spec.serviceAccountName) return cannot('a service account');
  const types = new Set(podReferences(object as unknown as Pod).map(({ type }) => type));
  if (types.has('secret')) return cannot('secrets');
  if (types.has('configmap')) return cannot('configmaps');
  const hasBundles = spec.volumes?.some(({ projected }) => projected?.sources?.some((one) => one.clusterTrustBundle));
  if (hasBundles) return cannot('clustertrustbundles');
  if (types.has('persistentvolumeclaim')) return cannot('persistentvolumeclaims');
  return spec.resourceClaims?.length ? cannot('resourceclaims') : undefined;
}

const nodesPart = ['capacity', 'conditions', 'allocatedResources', 'allocatedResourceStatuses'];

function claimProblem(node: string, { object, before }: AdmissionRequest): string | undefined {
  const bare = (claim: KubeObject = { metadata: {} }): unknown => {
    const { metadata, ...rest } = claim;
    const { managedFields: _, resourceVersion: __, ...kept } = metadata;
    const status = claim['status'];
    const others = Object.entries((status ?? {}) as object).filter(([field]) => !nodesPart.includes(field));
    return { ...rest, metadata: kept, status: Object.fromEntries(others) };
  };
  return jsonEqual(bare(object), bare(before))
    ? undefined
    : `node "${node}" is not allowed to update fields other than status.quantity and status.conditions`;
}

interface TokenRequest {
  readonly boundObjectRef?: { apiVersion?: string; kind?: string; name?: string; uid?: string };
  readonly audiences?: readonly string[];
}

function tokenProblem(node: string, request: AdmissionRequest, deps: NodeRestrictionDeps): string | undefined {
  const { operation, subresource, object, namespace = '' } = request;
  if (operation !== 'create' || subresource !== 'token') return undefined;
  const { boundObjectRef: ref, audiences = [] } = (object?.['spec'] ?? {}) as TokenRequest;
  if (!ref || (ref.apiVersion ?? 'v1') !== 'v1' || ref.kind !== 'Pod' || !ref.name)
    return 'node requested token not bound to a pod';
  if (!ref.uid) return 'node requested token with a pod binding without a uid';
  const pod = deps.readPod(namespace, ref.name);
  if (!pod || pod.metadata.uid !== ref.uid) {
    return `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  }
  if (nodeNameOf(pod) !== node) return 'node requested token bound to a pod scheduled on a different node';
  return audienceProblem(pod, audiences);
}

/** A node asks for what its pod's volumes ask for. */
function audienceProblem(pod: KubeObject, audiences: readonly string[]): string | undefined {
  if (audiences.length > 1) return 'node may only request 0 or 1 audiences';
  const [audience = ''] = audiences;
  const { volumes = [] } = (pod['spec'] ?? {}) as PodSpec;
  const isAsked = volumes.some(
    (volume) =>
      // Drivers name their audiences elsewhere.
      volume.csi !== undefined ||
      volume.persistentVolumeClaim !== undefined ||
      volume.ephemeral !== undefined ||
      volume.projected?.sources?.some(
        ({ serviceAccountToken: token }) => token !== undefined && (token.audience ?? '') === audience,
      ),
  );
  return isAsked ? undefined : `audience "${audience}" not found in pod spec volume`;
}
