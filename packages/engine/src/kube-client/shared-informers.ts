// One local copy per collection for a whole process: controllers and scheduler ask here instead of listing by themselves.
import { createInformer, type Informer } from '@kedge/core/control';
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { Random } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import { type GroupVersionResource, type KubeObject, objectKey } from '@kedge/model/k8s';
import type { Collection } from './collections.ts';
import { informerSource } from './informer-source.ts';
import type { KubeApi, Selection } from './kube-api.ts';
import { SharedParts } from './shared-parts.ts';

export interface SharedInformers extends Module {
  /**
   * The copy of a collection, or of the part of it that is selected; the same one for everybody who asks for the same.
   * Runs from the module's start on.
   */
  of<T extends KubeObject>(collection: Collection<T>, selection?: Selection): Informer<T>;
  /** The copy of a whole collection if somebody has asked for it; for readers that would make do with less. */
  known(collection: GroupVersionResource): Informer<KubeObject> | undefined;
}

export interface SharedInformersOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
}

export function createSharedInformers({ api, clock, log, random }: SharedInformersOptions): SharedInformers {
  const copies = new Map<string, Informer<KubeObject>>();
  const parts = new SharedParts();
  let scope: Scope | undefined;

  function open(collection: GroupVersionResource, selection: Selection): Informer<KubeObject> {
    const name = nameOf(collection, selection);
    const known = copies.get(name);
    if (known) return known;
    const informer = createInformer<KubeObject>({
      name,
      clock,
      log,
      source: informerSource(api, collection, selection),
      keyOf: objectKey,
      versionOf: (object) => object.metadata.resourceVersion,
      keep: (object, before) => parts.share(object, before),
      random: () => random.next(),
    });
    copies.set(name, informer);
    if (scope) informer.start(scope);
    return informer;
  }

  return {
    name: 'informers',
    // Ready at once: whoever needs a copy waits for that copy.
    async start(owner) {
      scope = owner;
      for (const informer of copies.values()) informer.start(owner);
    },
    // The collection says what its objects are; the API is trusted to keep to it.
    of: <T extends KubeObject>(collection: Collection<T>, selection: Selection = {}) =>
      open(collection, selection) as unknown as Informer<T>,
    known: (collection) => copies.get(nameOf(collection, {})),
  };
}

function nameOf({ group, version, resource }: GroupVersionResource, selection: Selection): string {
  const { namespace, labelSelector, fieldSelector } = selection;
  const parts = [namespace, labelSelector, fieldSelector].filter((part) => part);
  const collection = group ? `${resource}.${version}.${group}` : resource;
  return parts.length > 0 ? `${collection} (${parts.join(' ')})` : collection;
}
