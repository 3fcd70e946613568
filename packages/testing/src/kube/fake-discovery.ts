// The discovery documents of the fake API: groups, and the resources of each version.
import { apiVersionOf } from '@kedge/model/k8s';
import type { ResourceInfo } from '@kedge/model/k8s-resources';

/** The document at `/api`, `/apis`, `/api/v1` or `/apis/<group>/<version>`; undefined elsewhere. */
export function discoveryBody(resources: readonly ResourceInfo[], path: string): unknown {
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'] };
  if (path === '/apis') return { kind: 'APIGroupList', apiVersion: 'v1', groups: groupsOf(resources) };
  const [, group = '', version] = /^\/api(?:s\/([^/]+))?\/([^/]+)$/.exec(path) ?? [];
  const own = resources.filter((info) => info.group === group && info.version === version);
  if (version === undefined || own.length === 0) return undefined;
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf(group, version),
    resources: own.flatMap((info) => [
      {
        name: info.resource,
        singularName: info.singular,
        namespaced: info.namespaced,
        kind: info.kind,
        verbs: info.verbs,
      },
      ...Object.entries(info.subresources).map(([name, { kind, verbs }]) => ({
        name: `${info.resource}/${name}`,
        singularName: '',
        namespaced: info.namespaced,
        kind,
        verbs,
      })),
    ]),
  };
}

function groupsOf(resources: readonly ResourceInfo[]): unknown[] {
  const versions = new Map<string, Set<string>>();
  for (const { group, version } of resources) {
    if (group) versions.set(group, (versions.get(group) ?? new Set()).add(version));
  }
  return [...versions].map(([name, served]) => {
    const all = [...served].map((version) => ({ groupVersion: `${name}/${version}`, version }));
    return { name, versions: all, preferredVersion: all[0] };
  });
}
