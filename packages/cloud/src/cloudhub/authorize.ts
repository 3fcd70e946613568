// What a node may ask and report: only what belongs to it. A pure decision over a few look-ups; what can be told from
// the object itself only (a PersistentVolume's claim, the subject of a CSR) is decided in `mayRead` once it was read.
import type { KubeObject, NodeName } from '@kedge/model/k8s';
import { podReferences } from '@kedge/model/k8s-pods';
import type { Pod } from '@kedge/model/k8s-types';
import type { ObjectRef, Upstream } from '@kedge/model/messages';
import { whyNotPatch } from './judge-patch.ts';
import { isRestrictedLabel } from './reserved-labels.ts';

export type Verdict = { readonly allow: true } | { readonly allow: false; readonly say: string };

/** What is bound to which node, as far as is known here. */
export interface Belongings {
  /** The pod of that name, wherever it runs; undefined when there is none or we have not heard of it yet. */
  pod(
    namespace: string,
    name: string,
  ): { readonly node: string | undefined; readonly uid: string; readonly serviceAccount: string } | undefined;
  /** Whether a pod on `node` refers to the object (a nameless `namespace`: is in it); of a device, whether it is one of `node`. */
  uses(node: NodeName, type: string, namespace: string, name: string): boolean;
}

const allowed: Verdict = { allow: true };
const denied = (say: string): Verdict => ({ allow: false, say });
const ifUndefined = (say: string | undefined): Verdict => (say === undefined ? allowed : denied(say));
const only = (condition: boolean, say: string): Verdict => (condition ? allowed : denied(say));

export function authorize(node: NodeName, message: Upstream, own: Belongings): Verdict {
  switch (message.kind) {
    case 'keepalive':
    case 'ack':
    case 'nack':
    case 'ca.get':
    case 'membership.get':
    case 'bus.upload':
    case 'unknown':
      return allowed;
    case 'twin.report':
    case 'device.state':
    case 'device.conditions':
    case 'samples.report':
      // Whose device it is, is asked where the devices are known: one that is no more is another answer than another node's.
      return allowed;
    case 'object.get':
      return mayGet(node, message.ref, own);
    case 'object.create':
      return mayCreate(node, message.ref, message.object);
    case 'object.update':
      return mayUpdate(node, message.ref, message.object);
    case 'node.status':
      if (message.ref.name !== node) return denied('a node reports only its own status');
      return ifUndefined(whyNotPatch('node', message.patch));
    case 'pod.status': {
      const verdict = ownPodOrNone(node, message.ref.namespace, message.ref.name, own);
      return verdict.allow ? ifUndefined(whyNotPatch('pod', message.patch)) : verdict;
    }
    case 'pod.delete':
      return ownPodOrNone(node, message.ref.namespace, message.ref.name, own);
    case 'token.request':
      return mayHaveToken(node, message.namespace, message.serviceAccount, message.request, own);
    case 'event.put':
    case 'event.patch':
      return mayReport(node, message.event, own);
    case 'legacy.status':
      return mayReportLegacy(node, message, own);
  }
}

function mayGet(node: NodeName, { type, namespace = '', name }: ObjectRef, own: Belongings): Verdict {
  switch (type) {
    case 'node':
      return only(name === node, 'a node reads only its own Node');
    case 'lease':
      return only(namespace === leaseNamespace && name === node, 'a node reads only its own Lease');
    case 'pod':
      return ownPodOrNone(node, namespace, name, own);
    case 'configmap':
    case 'secret':
    case 'persistentvolumeclaim':
      return only(own.uses(node, type, namespace, name), `no pod on this node refers to the ${type}`);
    case 'persistentvolume':
    case 'volumeattachment':
    case 'certificatesigningrequest':
    // Says nothing about anybody's pods.
    case 'runtimeclass':
      return allowed;
    case 'servicelist':
      return only(own.uses(node, 'namespace', namespace, ''), 'no pod of the namespace is on this node');
    default:
      return denied(`a node does not read objects of type ${type}`);
  }
}

/** For what only the object itself can tell. */
export function mayRead(node: NodeName, { type }: ObjectRef, object: KubeObject, own: Belongings): Verdict {
  const spec = (object['spec'] ?? {}) as Record<string, unknown>;
  switch (type) {
    case 'persistentvolume': {
      const claim = spec['claimRef'] as { namespace?: string; name?: string } | undefined;
      const isUsed = own.uses(node, 'persistentvolumeclaim', claim?.namespace ?? '', claim?.name ?? '');
      return only(isUsed, 'no pod on this node uses the claim of the volume');
    }
    case 'volumeattachment':
      return only(spec['nodeName'] === node, 'the volume is attached to another node');
    default:
      return allowed;
  }
}

const leaseNamespace = 'kube-node-lease';
const mirrorAnnotation = 'kubernetes.io/config.mirror';

function mayCreate(node: NodeName, ref: ObjectRef, object: KubeObject): Verdict {
  const named = object.metadata.name;
  if (named !== undefined && named !== ref.name) return denied('the object has another name than its address');
  switch (ref.type) {
    case 'node':
      return ref.name === node ? withoutReservedLabels(object) : denied('a node creates only its own Node');
    case 'lease':
      return only(ref.namespace === leaseNamespace && ref.name === node, 'a node creates only its own Lease');
    case 'pod':
      return mayMirror(node, object);
    case 'certificatesigningrequest':
      // Its subject is checked where the request is decoded.
      return allowed;
    default:
      return denied(`a node does not create objects of type ${ref.type}`);
  }
}

function mayUpdate(node: NodeName, ref: ObjectRef, object: KubeObject): Verdict {
  if (ref.type === 'node' && ref.name === node) return withoutReservedLabels(object);
  if (ref.type === 'lease') {
    return only(ref.namespace === leaseNamespace && ref.name === node, 'a node renews only its own Lease');
  }
  return denied(`a node does not update ${ref.type} "${ref.name}"`);
}

const withoutReservedLabels = (object: KubeObject): Verdict =>
  only(
    !Object.keys(object.metadata.labels ?? {}).some(isRestrictedLabel),
    'labels of node-restriction.kubernetes.io are for administrators',
  );

const reachingSources = ['secret', 'configMap', 'projected', 'persistentVolumeClaim'];

/** A mirror of a static pod: it runs already, so it may refer to nothing that it could not have had. */
function mayMirror(node: NodeName, object: KubeObject): Verdict {
  const { spec = {} } = object as { spec?: Partial<NonNullable<Pod['spec']>> };
  if (object.metadata.annotations?.[mirrorAnnotation] === undefined) return denied('a node creates only mirror pods');
  if (spec.nodeName !== node) return denied('a node creates mirror pods for itself only');
  const reaches =
    podReferences(object as Pod).length > 0 ||
    (spec.volumes ?? []).some((volume) => reachingSources.some((source) => source in volume));
  const account = spec.serviceAccountName ?? spec.serviceAccount;
  return only(!reaches && !account, 'a mirror pod refers to no Secret, ConfigMap, claim or ServiceAccount');
}

/** A pod nobody knows may have been deleted while the edge was away; the answer tells the edge so. */
function ownPodOrNone(node: NodeName, namespace: string | undefined, name: string, own: Belongings): Verdict {
  const pod = own.pod(namespace ?? '', name);
  return only(pod === undefined || pod.node === node, 'the pod is not bound to this node');
}

function mayHaveToken(
  node: NodeName,
  namespace: string,
  account: string,
  request: KubeObject,
  own: Belongings,
): Verdict {
  const spec = (request['spec'] ?? {}) as { boundObjectRef?: { kind?: string; name?: string; uid?: string } };
  const bound = spec.boundObjectRef;
  if (bound?.kind !== 'Pod' || !bound.name || !bound.uid) return denied('a token for a node has to be bound to a pod');
  const pod = own.pod(namespace, bound.name);
  if (!pod || pod.node !== node || pod.uid !== bound.uid)
    return denied('the token is for a pod that is not on this node');
  return only(pod.serviceAccount === account, 'the pod runs under another service account');
}

function mayReport(node: NodeName, event: KubeObject, own: Belongings): Verdict {
  const { involvedObject: about = {}, source = {} } = event as {
    involvedObject?: { kind?: string; namespace?: string; name?: string };
    source?: { host?: string };
  };
  if (source.host && source.host !== node) return denied('the event names another node as its source');
  if (about.kind === 'Node') return only(about.name === node, 'the event is about another node');
  if (about.kind === 'Pod') return ownPodOrNone(node, about.namespace, about.name ?? '', own);
  if (about.kind === 'Device') {
    return only(own.uses(node, 'device', about.namespace ?? '', about.name ?? ''), 'the device is not of this node');
  }
  return denied(
    `a node reports events about itself, its pods and its devices, not about a ${about.kind ?? 'thing without kind'}`,
  );
}

function mayReportLegacy(
  node: NodeName,
  message: Extract<Upstream, { kind: 'legacy.status' }>,
  own: Belongings,
): Verdict {
  if (message.of === 'node') {
    const isOwn = message.ref.name === node && message.reports.every(({ name }) => name === node);
    return only(isOwn, 'a node reports only its own status');
  }
  for (const report of message.reports) {
    const verdict = ownPodOrNone(node, message.ref.namespace, report.name, own);
    if (!verdict.allow) return verdict;
  }
  return allowed;
}
