// All kinds that are served: the built-in ones, and custom ones that come and go with their definitions.
import type { Catalog, ServedResource } from '@kedge/engine/kube-api';
import { apiVersionOf, type GroupVersionResource } from '@kedge/model/k8s';
import { rulesFor } from '@kedge/model/k8s-kinds';
import { builtinResources } from '@kedge/model/k8s-resources';
import type { BuiltinSchemas } from '@kedge/model/k8s-schema';
import { builtinLayout } from '../tables/layouts.ts';
import { conversionOf } from './conversions.ts';
import { collectionOf, type Kind } from './kind.ts';
import { builtinFields } from './selectable-fields.ts';
import { strategyOf } from './strategies.ts';

export interface KindCatalog extends Catalog {
  /** The kind behind a served resource. */
  of(resource: GroupVersionResource): Kind | undefined;
  /** A kind that the code itself relies on. */
  builtin(resource: GroupVersionResource): Kind;
  kinds(): Iterable<Kind>;
  /** Replaces what a definition serves; no kinds: it is gone. */
  setCustom(definition: string, kinds: readonly Kind[]): void;
}

/** Both groups serve the same events. */
const sharedCollections: Readonly<Record<string, string>> = { 'events.events.k8s.io': 'events' };

const keyOf = ({ group, version, resource }: GroupVersionResource): string => `${group}/${version}/${resource}`;

export function createKindCatalog(schemas: BuiltinSchemas): KindCatalog {
  const builtin = new Map<string, Kind>(
    builtinResources.map((served) => [keyOf(served), builtinKind(served, schemas)]),
  );
  const customByDefinition = new Map<string, readonly Kind[]>();
  let custom = new Map<string, Kind>();
  let generation = 1;

  const of = (gvr: GroupVersionResource): Kind | undefined => builtin.get(keyOf(gvr)) ?? custom.get(keyOf(gvr));
  function* kinds(): Iterable<Kind> {
    yield* builtin.values();
    yield* custom.values();
  }
  return {
    get generation() {
      return generation;
    },
    of,
    kinds,
    builtin(gvr) {
      const kind = builtin.get(keyOf(gvr));
      if (!kind) throw new Error(`${gvr.resource} is missing from the table of built-in resources`);
      return kind;
    },
    find: (gvr) => of(gvr)?.served,
    *resources() {
      for (const kind of kinds()) yield kind.served;
    },
    setCustom(definition, served) {
      if (served.length > 0) customByDefinition.set(definition, served);
      else if (!customByDefinition.delete(definition)) return;
      const ordered = [...customByDefinition].sort(([a], [b]) => (a < b ? -1 : 1)).flatMap(([, all]) => all);
      custom = new Map(ordered.map((kind) => [keyOf(kind.served), kind]));
      generation++;
    },
  };
}

function builtinKind(served: ServedResource, schemas: BuiltinSchemas): Kind {
  const { group, version, resource, kind } = served;
  const own = collectionOf(group, resource);
  const collection = sharedCollections[own] ?? own;
  const apiVersion = apiVersionOf(group, version);
  const conversion = conversionOf(apiVersion, resource);
  return {
    served,
    collection,
    apiVersion,
    schema: schemas.ofKind(apiVersion, kind),
    rules: rulesFor(apiVersion, kind),
    strategy: strategyOf(collection),
    layout: builtinLayout(apiVersion, resource),
    readField: builtinFields(collection),
    isCustom: false,
    ...(conversion ? { conversion } : {}),
  };
}
