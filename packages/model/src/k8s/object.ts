// What every Kubernetes object has, and the branded identifiers that keep names, uids and versions apart.
// Source: Kubernetes API conventions, meta/v1.

declare const uidBrand: unique symbol;
declare const versionBrand: unique symbol;
declare const nodeBrand: unique symbol;

/** `metadata.uid`: one incarnation of an object. */
export type Uid = string & { readonly [uidBrand]: true };
/** `metadata.resourceVersion`: opaque to clients, but both servers we speak to use unsigned 64-bit integers. */
export type ResourceVersion = string & { readonly [versionBrand]: true };
/** Name of a Node, and so of an edge. */
export type NodeName = string & { readonly [nodeBrand]: true };

export const uid = (text: string): Uid => text as Uid;
export const resourceVersion = (text: string): ResourceVersion => text as ResourceVersion;
export const nodeName = (text: string): NodeName => text as NodeName;

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ManagedFieldsEntry {
  manager?: string;
  operation?: string;
  apiVersion?: string;
  time?: string;
  fieldsType?: string;
  fieldsV1?: Record<string, unknown>;
  subresource?: string;
}

export interface ObjectMeta {
  name?: string;
  generateName?: string;
  namespace?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string | null;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
  managedFields?: ManagedFieldsEntry[];
}

/** Any object: the parts that all share, and whatever its kind adds. */
export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  [field: string]: unknown;
}

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** A collection of the REST API. `group` is '' for core. */
export interface GroupVersionResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** One object of one collection; namespace is undefined for cluster-scoped objects. */
export interface ObjectName {
  readonly namespace: string | undefined;
  readonly name: string;
}

export const apiVersionOf = (group: string, version: string): string => (group ? `${group}/${version}` : version);

/** Splits `apps/v1` or `v1`. */
export function parseApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** Key of an object inside its collection: `namespace/name`, or `name` when cluster-scoped. */
export const objectKey = (object: { metadata: ObjectMeta }): string =>
  object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : (object.metadata.name ?? '');

/** Compares two versions as unsigned integers of any length; anything non-numeric counts as oldest. */
export function compareVersions(a: string | undefined, b: string | undefined): -1 | 0 | 1 {
  const x = numericVersion(a);
  const y = numericVersion(b);
  if (x.length !== y.length) return x.length < y.length ? -1 : 1;
  return x === y ? 0 : x < y ? -1 : 1;
}

function numericVersion(text: string | undefined): string {
  return text && /^\d+$/.test(text) ? text.replace(/^0+/, '') : '';
}
