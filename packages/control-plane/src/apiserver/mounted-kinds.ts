// Kinds that somebody else computes, served beside those that are kept: one catalogue and one object API over both.
import {
  type Catalog,
  type Definition,
  type ObjectApi,
  plainLayout,
  type ServedResource,
  type TableLayout,
} from '@kedge/engine/kube-api';
import { fail, type GroupVersionResource } from '@kedge/model/k8s';

/** Read-only kinds with the objects behind them. */
export interface MountedKinds {
  readonly resources: readonly ServedResource[];
  readonly objects: Pick<ObjectApi, 'get' | 'list'>;
  /** For the OpenAPI documents, by name; `$ref` may name built-in definitions. What every kind has is added. */
  readonly definitions: Readonly<Record<string, Definition>>;
  layout(resource: ServedResource): TableLayout;
}

export interface Mounts {
  readonly catalog: Catalog;
  readonly objects: ObjectApi;
  mount(kinds: MountedKinds): void;
  layoutOf(resource: ServedResource): TableLayout;
}

const keyOf = ({ group, version, resource }: GroupVersionResource): string => `${group}/${version}/${resource}`;

export function createMounts(kept: Catalog, keptObjects: ObjectApi): Mounts {
  const mounted = new Map<string, { readonly resource: ServedResource; readonly kinds: MountedKinds }>();
  let added = 0;

  const readOnly = (): Error =>
    fail('MethodNotAllowed', 'the server does not allow this method on the requested resource');
  const of = (resource: ServedResource): Pick<ObjectApi, 'get' | 'list'> =>
    mounted.get(keyOf(resource))?.kinds.objects ?? keptObjects;
  const writable = (resource: ServedResource): ObjectApi => {
    if (mounted.has(keyOf(resource))) throw readOnly();
    return keptObjects;
  };

  return {
    catalog: {
      get generation() {
        return kept.generation + added;
      },
      find: (gvr) => kept.find(gvr) ?? mounted.get(keyOf(gvr))?.resource,
      *resources() {
        yield* kept.resources();
        for (const { resource } of mounted.values()) yield resource;
      },
    },
    objects: {
      get: async (target, options, call) => of(target.resource).get(target, options, call),
      list: async (target, options, call) => of(target.resource).list(target, options, call),
      watch: async (target, options, call) => writable(target.resource).watch(target, options, call),
      create: async (target, body, options, call) => writable(target.resource).create(target, body, options, call),
      update: async (target, body, options, call) => writable(target.resource).update(target, body, options, call),
      patch: async (target, patch, options, call) => writable(target.resource).patch(target, patch, options, call),
      remove: async (target, options, call) => writable(target.resource).remove(target, options, call),
      removeCollection: async (target, list, options, call) =>
        writable(target.resource).removeCollection(target, list, options, call),
    },
    mount(kinds) {
      for (const resource of kinds.resources) mounted.set(keyOf(resource), { resource, kinds });
      added += 1;
    },
    layoutOf: (resource) => mounted.get(keyOf(resource))?.kinds.layout(resource) ?? plainLayout,
  };
}
