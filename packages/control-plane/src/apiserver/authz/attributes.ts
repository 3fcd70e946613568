// What an authorization decision is made of.
import type { ApiUser, RequestInfo } from '@kedge/engine/kube-api';

export type Attributes =
  | {
      readonly isResource: true;
      readonly verb: string;
      readonly group: string;
      readonly resource: string;
      readonly subresource: string;
      readonly namespace: string;
      readonly name: string;
      /** Of a list or a watch. */
      readonly fieldSelector?: string;
    }
  | { readonly isResource: false; readonly verb: string; readonly path: string };

export type Decision =
  | { readonly allowed: true; readonly reason: string }
  | { readonly allowed: false; readonly reason: string };

export interface Authorizer {
  decide(user: ApiUser, attributes: Attributes): Decision;
}

export const attributesOf = (info: RequestInfo): Attributes =>
  info.isResource
    ? {
        isResource: true,
        verb: info.verb,
        group: info.group,
        resource: info.resource,
        subresource: info.subresource,
        namespace: info.namespace,
        name: info.name,
      }
    : { isResource: false, verb: info.verb, path: info.path };

/** `User "x" cannot list resource "pods" in API group "" in the namespace "default"`. */
export function refusal(user: ApiUser, attributes: Attributes): string {
  const who = `User "${user.name}" cannot ${attributes.verb}`;
  if (!attributes.isResource) return `${who} path "${attributes.path}"`;
  const { resource, subresource, group, namespace } = attributes;
  const what = subresource ? `${resource}/${subresource}` : resource;
  const where = namespace ? `in the namespace "${namespace}"` : 'at the cluster scope';
  return `${who} resource "${what}" in API group "${group}" ${where}`;
}

/** The value that a field selector demands of a field. */
export function selectedValue(fieldSelector: string, field: string): string | undefined {
  for (const term of fieldSelector.split(',')) {
    const [, name, value] = /^([^=!]+)==?([^=!]*)$/.exec(term) ?? [];
    if (name === field) return value;
  }
  return undefined;
}
