// An object as the link carries it: always with kind and apiVersion, which lists and typed answers leave out.
import { type KubeObject, type ResourceVersion, resourceVersion, type Uid, uid } from '@kedge/model/k8s';
import type { LinkedType, ObjectRef } from '@kedge/model/messages';
import type { Delete, Put } from './sink.ts';

interface Linked {
  readonly kind: string;
  readonly apiVersion: string;
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string };
}

const linked = (group: string, version: string, resource: string, kind: string): Linked => ({
  kind,
  apiVersion: group ? `${group}/${version}` : version,
  resource: { group, version, resource },
});

export const linkedKinds = {
  pod: linked('', 'v1', 'pods', 'Pod'),
  configmap: linked('', 'v1', 'configmaps', 'ConfigMap'),
  secret: linked('', 'v1', 'secrets', 'Secret'),
  node: linked('', 'v1', 'nodes', 'Node'),
  event: linked('', 'v1', 'events', 'Event'),
  lease: linked('coordination.k8s.io', 'v1', 'leases', 'Lease'),
  persistentvolume: linked('', 'v1', 'persistentvolumes', 'PersistentVolume'),
  persistentvolumeclaim: linked('', 'v1', 'persistentvolumeclaims', 'PersistentVolumeClaim'),
  volumeattachment: linked('storage.k8s.io', 'v1', 'volumeattachments', 'VolumeAttachment'),
  runtimeclass: linked('node.k8s.io', 'v1', 'runtimeclasses', 'RuntimeClass'),
  certificatesigningrequest: linked(
    'certificates.k8s.io',
    'v1',
    'certificatesigningrequests',
    'CertificateSigningRequest',
  ),
} as const satisfies Partial<Record<LinkedType, Linked>>;

export type KnownType = keyof typeof linkedKinds;

export function withKind(type: KnownType, object: KubeObject): KubeObject {
  const { kind, apiVersion } = linkedKinds[type];
  return object.kind === kind && object.apiVersion === apiVersion ? object : { ...object, apiVersion, kind };
}

export const refOf = (type: KnownType, { metadata }: KubeObject): ObjectRef => ({
  type,
  namespace: metadata.namespace,
  name: metadata.name ?? '',
});

export const versionOf = ({ metadata }: KubeObject): ResourceVersion => resourceVersion(metadata.resourceVersion ?? '');
export const uidOf = ({ metadata }: KubeObject): Uid => uid(metadata.uid ?? '');

export const putOf = (type: KnownType, object: KubeObject, change: 'insert' | 'update', address?: string): Put => ({
  kind: 'object.put',
  ref: refOf(type, object),
  ...(address === undefined ? {} : { address }),
  version: versionOf(object),
  object: withKind(type, object),
  owner: 'edgecontroller',
  change,
});

export const deleteOf = (type: KnownType, last: KubeObject): Delete => ({
  kind: 'object.delete',
  ref: refOf(type, last),
  uid: uidOf(last),
  object: withKind(type, last),
  version: last.metadata.resourceVersion ? versionOf(last) : undefined,
  owner: 'edgecontroller',
});

/** What is left to say about an object of which only the name and the incarnation are known. */
export const deleteOfUnknown = (type: KnownType, ref: ObjectRef, of: Uid): Delete =>
  deleteOf(type, {
    metadata: { name: ref.name, ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }), uid: of },
  });
