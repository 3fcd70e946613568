// REST paths and query strings of the Kubernetes API.
import { fail, type GroupVersionResource } from '@kedge/model/k8s';
import type { Selection, Target } from './kube-api.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** Names may come from strangers. Dots alone survive escaping, and a URL with them means another path. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..') throw fail('BadRequest', `"${name}" is not the name of anything`);
  return encodeURIComponent(name);
}

/** Path of a collection: `/api/v1/namespaces/default/pods`, `/apis/apps/v1/deployments`. */
export function collectionPath(of: GroupVersionResource, namespace: string | undefined): string {
  const root = of.group ? `/apis/${of.group}/${of.version}` : `/api/${of.version}`;
  return namespace ? `${root}/namespaces/${segment(namespace)}/${of.resource}` : `${root}/${of.resource}`;
}

/** Path of one object or of a subresource of it; throws BadRequest for what names none. */
export function objectPath(of: GroupVersionResource, { namespace, name, subresource }: Target): string {
  const path = `${collectionPath(of, namespace)}/${segment(name)}`;
  return subresource ? `${path}/${subresource}` : path;
}

/** Appends the parameters that are set. */
export function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text ? `${path}?${text}` : path;
}

export const selectors = ({ labelSelector, fieldSelector }: Selection): Query => ({ labelSelector, fieldSelector });
