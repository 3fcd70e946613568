// Discovery documents: which groups, versions and resources are served, in the old form (one document per group and
// version) and the aggregated one (everything in two requests).
import { apiVersionOf } from '@kedge/model/k8s';
import type { ResourceInfo } from '@kedge/model/k8s-resources';
import { type Catalog, groupsOf, type ServedVersion } from './catalog.ts';

const groupVersion = ({ group, version }: ServedVersion): { groupVersion: string; version: string } => ({
  groupVersion: apiVersionOf(group, version),
  version,
});

const apiGroup = (name: string, versions: readonly ServedVersion[]): Record<string, unknown> => ({
  name,
  versions: versions.map(groupVersion),
  preferredVersion: groupVersion(versions[0]!),
});

/** GET /api */
export const coreVersions = (serverAddress: string): unknown => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress }],
});

/** GET /apis */
export const groupList = (catalog: Catalog): unknown => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: [...groupsOf(catalog)].filter(([name]) => name).map(([name, versions]) => apiGroup(name, versions)),
});

/** GET /apis/<group>; undefined when nothing of it is served. */
export function oneGroup(catalog: Catalog, name: string): unknown {
  const versions = groupsOf(catalog).get(name);
  return versions && { kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(name, versions) };
}

/** GET /api/v1 and /apis/<group>/<version>; undefined when nothing of it is served. */
export function resourceList(catalog: Catalog, group: string, version: string): unknown {
  const served = groupsOf(catalog)
    .get(group)
    ?.find((candidate) => candidate.version === version);
  if (!served) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(group, version),
    resources: served.resources.flatMap(resourceEntries).sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function resourceEntries(info: ResourceInfo): { name: string; [field: string]: unknown }[] {
  const { resource, singular, namespaced, kind, verbs, shortNames, categories } = info;
  return [
    {
      name: resource,
      singularName: singular,
      namespaced,
      kind,
      verbs,
      ...(shortNames.length ? { shortNames } : {}),
      ...(categories.length ? { categories } : {}),
    },
    ...Object.entries(info.subresources).map(([name, sub]) => ({
      name: `${resource}/${name}`,
      singularName: '',
      namespaced,
      ...(sub.group !== info.group || sub.version !== info.version ? { group: sub.group, version: sub.version } : {}),
      kind: sub.kind,
      verbs: sub.verbs,
    })),
  ];
}

/** GET /api and /apis with `as=APIGroupDiscoveryList`. */
export const aggregated = (catalog: Catalog, version: 'v2' | 'v2beta1', core: boolean): unknown => ({
  kind: 'APIGroupDiscoveryList',
  apiVersion: `apidiscovery.k8s.io/${version}`,
  metadata: {},
  items: [...groupsOf(catalog)]
    .filter(([name]) => (name === '') === core)
    .map(([name, versions]) => ({
      metadata: { ...(name ? { name } : {}), creationTimestamp: null },
      versions: versions.map((served) => ({
        version: served.version,
        freshness: 'Current',
        resources: served.resources.map(aggregatedResource).sort((a, b) => (a.resource < b.resource ? -1 : 1)),
      })),
    })),
});

function aggregatedResource(info: ResourceInfo): { resource: string; [field: string]: unknown } {
  const { group, version, kind, shortNames, categories, subresources } = info;
  return {
    resource: info.resource,
    responseKind: { group, version, kind },
    scope: info.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: info.singular,
    verbs: info.verbs,
    ...(shortNames.length ? { shortNames } : {}),
    ...(categories.length ? { categories } : {}),
    ...(Object.keys(subresources).length
      ? {
          subresources: Object.entries(subresources).map(([subresource, sub]) => ({
            subresource,
            responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
            verbs: sub.verbs,
          })),
        }
      : {}),
  };
}
