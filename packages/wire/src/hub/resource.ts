// Object address <-> the `route.resource` text, `<namespace>/<type>/<name>`. What the cloud and the edge call the
// same object differs by version; whoever answers repeats the text it was asked with.
import type { ObjectRef } from '@kedge/model/messages';

/** Addresses that are no objects. */
export const caResource = 'k8s/ca.crt';
export const keepaliveResource = 'node';

/** Cluster-scoped kinds, and the word v1.22 writes where others have their namespace. */
const clusterScoped: Readonly<Record<string, string>> = {
  node: 'default',
  volumeattachment: 'default',
  runtimeclass: 'default',
  certificatesigningrequest: 'default',
  persistentvolume: 'null',
};

const maxNameLength = 253;

export function formatResource(ref: ObjectRef, type: string = ref.type): string {
  return `${clusterScoped[ref.type] ?? ref.namespace ?? 'null'}/${type}/${ref.name}`;
}

/** Reads `<namespace>/<type>/<name>`; undefined for everything else (topics, ports, task paths). */
export function parseResource(resource: string | undefined): ObjectRef | undefined {
  const parts = resource?.split('/') ?? [];
  const [namespace, type, name] = parts;
  if (parts.length !== 3 || !isName(namespace) || !isName(type) || !isName(name)) return undefined;
  return { type, namespace: namespace === 'null' || Object.hasOwn(clusterScoped, type) ? undefined : namespace, name };
}

/** Reads an address and takes `type` for what it is about (`podpatch` addresses a pod). */
export function parseResourceAs(resource: string | undefined, type: string): ObjectRef | undefined {
  const ref = parseResource(resource);
  if (!ref) return undefined;
  return { type, namespace: Object.hasOwn(clusterScoped, type) ? undefined : ref.namespace, name: ref.name };
}

const isName = (text: string | undefined): text is string =>
  text !== undefined && text.length > 0 && text.length <= maxNameLength;
