// Watches every kind the server has, as far as ownership needs it: the copies that controllers keep anyway, and names,
// owners and finalizers of the rest. Kinds come and go with CustomResourceDefinitions.
import { createInformer, type Informer } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import { openScope, type OwnedScope, type Scope } from '@kedge/core/flow';
import { seconds } from '@kedge/core/time';
import { type DiscoveredResource, discoverResources, informerSource, onlyMetadata } from '@kedge/engine/kube-client';
import { type GroupVersionResource, type KubeObject, objectKey } from '@kedge/model/k8s';
import type { ControllerDeps } from '../runtime/controller.ts';

export interface MonitorEvents {
  onPut(of: GroupVersionResource, object: KubeObject): void;
  onDelete(uid: string): void;
  /** The object's kind is no longer watched; nothing is known of the object any more. */
  onLostSight(uid: string): void;
}

interface Monitor {
  readonly informer: Informer<KubeObject>;
  stop(): Promise<void>;
}

/** Kinds nobody owns anything with; watching them would cost most for nothing. */
const ignored = new Set(['events', 'events.events.k8s.io']);
const rediscoverEvery = seconds(30);
const syncPatience = seconds(60);

export class KindMonitors {
  readonly #deps: ControllerDeps;
  readonly #events: MonitorEvents;
  readonly #monitors = new Map<string, Monitor>();
  #byKind = new Map<string, DiscoveredResource>();

  constructor(deps: ControllerDeps, events: MonitorEvents) {
    this.#deps = deps;
    this.#events = events;
  }

  /** The collection of a kind; undefined when the server does not have it. */
  find(apiVersion: string, kind: string): DiscoveredResource | undefined {
    // Any version will do to find the resource; the preferred one is what we talk.
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : '';
    return this.#byKind.get(`${group}/${kind}`);
  }

  /** Discovers and watches; resolves when all kinds found so far are complete, or after a while without them. */
  async start(scope: Scope): Promise<void> {
    const { clock, log } = this.#deps;
    scope.defer('kind monitors', async () => {
      await Promise.all([...this.#monitors.values()].map((monitor) => monitor.stop()));
    });
    await this.#discover(scope.signal);
    scope.spawn('rediscover kinds', async (signal) => {
      while (!signal.aborted) {
        await clock.sleep('kinds to be discovered again', rediscoverEvery, signal).catch(() => undefined);
        if (signal.aborted) return;
        await this.#discover(signal).catch((error: unknown) =>
          log.warn('discovery failed', { reason: explain(error) }),
        );
      }
    });
    const complete = Promise.all([...this.#monitors.values()].map(({ informer }) => informer.synced(scope.signal)));
    const patience = new AbortController();
    const timeUp = clock.sleep('kinds to be complete', syncPatience, AbortSignal.any([scope.signal, patience.signal]));
    await Promise.race([complete, timeUp.catch(() => undefined)]);
    patience.abort();
  }

  async #discover(signal: AbortSignal): Promise<void> {
    const { resources, failed } = await discoverResources(this.#deps.api, signal);
    this.#byKind = new Map(resources.map((resource) => [`${resource.group}/${resource.kind}`, resource]));
    const wanted = new Map(resources.filter(isCollectable).map((resource) => [nameOf(resource), resource]));
    for (const [name, resource] of wanted) {
      if (!this.#monitors.has(name)) this.#monitors.set(name, this.#open(name, resource));
    }
    // A group that could not be read says nothing about what became of its kinds.
    if (failed.length > 0) return;
    for (const [name, monitor] of this.#monitors) {
      if (wanted.has(name)) continue;
      this.#monitors.delete(name);
      await monitor.stop();
    }
  }

  #open(name: string, of: DiscoveredResource): Monitor {
    const { api, clock, log, cluster } = this.#deps;
    const shared = cluster.known(of);
    let scope: OwnedScope | undefined;
    const informer =
      shared ??
      createInformer<KubeObject>({
        name: `${name} owners`,
        clock,
        log,
        source: informerSource(api, of, {}, onlyMetadata),
        keyOf: objectKey,
        versionOf: ({ metadata }) => metadata.resourceVersion,
      });
    const unlisten = informer.listen({
      onPut: (object, before) => {
        // Deleted and made again while we were not looking.
        if (before && before.metadata.uid !== object.metadata.uid) this.#events.onDelete(before.metadata.uid ?? '');
        this.#events.onPut(of, object);
      },
      onDelete: ({ metadata }) => this.#events.onDelete(metadata.uid ?? ''),
    });
    if (!shared) {
      scope = openScope({ clock, name: `${name} owners` });
      informer.start(scope);
    }
    return {
      informer,
      stop: async () => {
        unlisten();
        await scope?.close(seconds(2));
        for (const { metadata } of informer.list()) this.#events.onLostSight(metadata.uid ?? '');
      },
    };
  }
}

const nameOf = ({ resource, group }: GroupVersionResource): string => (group ? `${resource}.${group}` : resource);

const isCollectable = (resource: DiscoveredResource): boolean =>
  ['list', 'watch', 'delete'].every((verb) => resource.verbs.includes(verb)) && !ignored.has(nameOf(resource));
