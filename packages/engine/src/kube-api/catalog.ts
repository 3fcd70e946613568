// What is served: the built-in resources and, where they exist, custom ones. Discovery is a view of it.
import type { GroupVersionResource } from '@kedge/model/k8s';
import type { ResourceInfo } from '@kedge/model/k8s-resources';
import type { PatchType } from '../kube-client/index.ts';

export interface ServedResource extends ResourceInfo {
  /** Where it is not the kind followed by `List`. */
  readonly listKind?: string;
  /** Where not all are taken: custom resources know no strategic merge. */
  readonly patchTypes?: readonly PatchType[];
}

export interface Catalog {
  /** Grows with every change of what is served. */
  readonly generation: number;
  /** In the order of groups and versions that clients should prefer. */
  resources(): Iterable<ServedResource>;
  find(gvr: GroupVersionResource): ServedResource | undefined;
}

export interface ServedVersion {
  readonly group: string;
  readonly version: string;
  readonly resources: readonly ServedResource[];
}

/** The catalogue by group, then version, each in order of first appearance. */
export function groupsOf(catalog: Catalog): ReadonlyMap<string, readonly ServedVersion[]> {
  const groups = new Map<string, Map<string, ServedResource[]>>();
  for (const info of catalog.resources()) {
    const versions = groups.get(info.group) ?? new Map<string, ServedResource[]>();
    groups.set(info.group, versions);
    const resources: ServedResource[] = versions.get(info.version) ?? [];
    versions.set(info.version, resources);
    resources.push(info);
  }
  return new Map(
    [...groups].map(([group, versions]) => [
      group,
      [...versions].map(([version, resources]) => ({ group, version, resources })),
    ]),
  );
}
