// Lookups over the built-in resources, by URL and by kind.
import { apiVersionOf } from '../k8s/index.ts';
import type { GroupVersionResource } from '../k8s/index.ts';
import { builtinResources } from './builtin-resources.ts';
import type { ResourceInfo } from './resource-info.ts';

/** The built-in resource behind `group/version/resource`; undefined for custom and unknown ones. */
export const findResource = ({ group, version, resource }: GroupVersionResource): ResourceInfo | undefined =>
  builtinResources.find((info) => info.group === group && info.version === version && info.resource === resource);

/** The built-in resource whose objects say `apiVersion` and `kind`; `events.k8s.io/v1` and `v1` Events are two. */
export const findResourceOfKind = (apiVersion: string, kind: string): ResourceInfo | undefined =>
  builtinResources.find((info) => info.kind === kind && apiVersionOf(info.group, info.version) === apiVersion);
