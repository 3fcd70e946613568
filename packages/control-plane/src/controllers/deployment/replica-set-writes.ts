// What a Deployment does to its ReplicaSets: create, resize, annotate, delete. Each write is guarded by the version it
// was planned on, and remembered until the local copy shows it.
import { compareVersions, isStatus, type KubeObject } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { Deployment, ReplicaSet } from '@kedge/model/k8s-types';
import { collections } from '@kedge/engine/kube-client';
import type { EventRecorder } from '@kedge/engine/event-recorder';
import { controllerOf } from '../ownership/controller-ref.ts';
import type { ControllerDeps } from '../runtime/controller.ts';
import type { Resize } from './plan-rolling-update.ts';
import { currentAnnotations, sameTemplate, sizeAnnotations } from './revisions.ts';
import { sizeOf } from './rollout-limits.ts';

export type Created =
  | { readonly ok: true; readonly set: ReplicaSet }
  /** Another object has the name: the hash needs another collision count. */
  | { readonly ok: false };

export class ReplicaSetWrites {
  readonly #api: ControllerDeps['api'];
  readonly #events: EventRecorder;
  readonly #copy: { readonly version: string | undefined };
  readonly #last = new Map<string, string>();

  constructor({ api, cluster }: ControllerDeps, events: EventRecorder) {
    this.#api = api;
    this.#events = events;
    this.#copy = cluster.of(collections.replicaSets);
  }

  /** False while the local copy lacks this Deployment's own latest write; planning on it would count pods wrongly. */
  areSeen(key: string): boolean {
    const last = this.#last.get(key);
    if (last === undefined) return true;
    if (compareVersions(this.#copy.version, last) < 0) return false;
    this.#last.delete(key);
    return true;
  }

  forget(key: string): void {
    this.#last.delete(key);
  }

  async create(key: string, deployment: Deployment, set: ReplicaSet, signal: AbortSignal): Promise<Created> {
    const { namespace, name = '' } = set.metadata;
    try {
      const created = this.#noted(key, await this.#api.create(collections.replicaSets, namespace, set, { signal }));
      const size = sizeOf(set);
      if (size > 0)
        this.#events.normal(deployment, 'ScalingReplicaSet', `Scaled up replica set ${name} from 0 to ${size}`);
      return { ok: true, set: created };
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) throw error;
      const other = (await this.#api.get(collections.replicaSets, { namespace, name }, { signal })) as ReplicaSet;
      const isOurs =
        controllerOf(other)?.uid === deployment.metadata.uid && sameTemplate(other.spec?.template, set.spec?.template);
      return isOurs ? { ok: true, set: other } : { ok: false };
    }
  }

  async resize(key: string, deployment: Deployment, { set, to }: Resize, signal: AbortSignal): Promise<ReplicaSet> {
    const from = sizeOf(set);
    const resized = await this.#patch(key, set, { replicas: to }, sizeAnnotations(deployment), signal);
    if (from !== to) {
      const verb = to > from ? 'up' : 'down';
      const message = `Scaled ${verb} replica set ${set.metadata.name} from ${from} to ${to}`;
      this.#events.normal(deployment, 'ScalingReplicaSet', message);
    }
    return resized;
  }

  /** Brings what the current set copies from the Deployment up to date. */
  async refresh(
    key: string,
    deployment: Deployment,
    set: ReplicaSet,
    revision: number,
    signal: AbortSignal,
  ): Promise<ReplicaSet> {
    const annotations = currentAnnotations(deployment, set, revision);
    const minReadySeconds = deployment.spec?.minReadySeconds ?? 0;
    const isCurrent =
      jsonEqual(annotations, set.metadata.annotations ?? {}) && (set.spec?.minReadySeconds ?? 0) === minReadySeconds;
    return isCurrent ? set : this.#patch(key, set, { minReadySeconds }, annotations, signal);
  }

  async remove({ metadata }: ReplicaSet, signal: AbortSignal): Promise<void> {
    const { namespace, name = '', uid = '' } = metadata;
    await this.#api.delete(collections.replicaSets, { namespace, name }, { uid, signal }).catch((error: unknown) => {
      if (!isStatus(error, 'NotFound') && !isStatus(error, 'Conflict')) throw error;
    });
  }

  async #patch(
    key: string,
    { metadata }: ReplicaSet,
    spec: object,
    annotations: Record<string, string>,
    signal: AbortSignal,
  ) {
    const { namespace, name = '', resourceVersion } = metadata;
    const patch = JSON.stringify({ metadata: { resourceVersion, annotations }, spec });
    return this.#noted(
      key,
      await this.#api.patch(collections.replicaSets, { namespace, name }, 'merge', patch, { signal }),
    );
  }

  #noted(key: string, written: KubeObject): ReplicaSet {
    const { resourceVersion = '' } = written.metadata;
    if (compareVersions(this.#last.get(key), resourceVersion) < 0) this.#last.set(key, resourceVersion);
    return written as ReplicaSet;
  }
}
