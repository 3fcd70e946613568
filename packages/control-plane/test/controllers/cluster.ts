// A whole cluster in one test: an API in memory, the controllers (and scheduler) over it, and nodes that run pods when told to.
import assert from 'node:assert/strict';
import { createHost, type Module } from '@kedge/core/module';
import { silentLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { type Duration, seconds, toTime } from '@kedge/core/time';
import { type ControllersOptions, createControllers } from '@kedge/control-plane/controllers';
import { createEventSink } from '@kedge/engine/event-recorder';
import { type Collection, collections, createSharedInformers, type KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import type { Deployment, Event, Pod, PodCondition } from '@kedge/model/k8s-types';
import { createFakeKubeApi } from '@kedge/testing/kube';

const settle = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** How long a real server, which writes to a disk and has threads that sign, may take to do what it has begun. */
const realPatience = seconds(20);

/** Counts up, so that runs are alike. */
const steadyRandom = () => {
  let n = 0;
  return { next: () => (n = (n * 16_807 + 1) % 2_147_483_647) / 2_147_483_647, uuid: () => `uuid-${(n += 1)}` };
};

export interface ClusterOptions {
  readonly signing?: NonNullable<ControllersOptions['signing']>;
  readonly api?: (clock: FakeClock) => KubeApi;
  readonly more?: (parts: {
    api: KubeApi;
    informers: ReturnType<typeof createSharedInformers>;
    clock: FakeClock;
    events: ReturnType<typeof createEventSink>;
  }) => Module[];
}

export class Cluster {
  readonly clock = new FakeClock({ settle });
  readonly api: KubeApi;
  readonly #host = createHost({ clock: this.clock, log: silentLog });
  readonly #modules: Module[];
  /** The API is a real server: time stands still for it while it works. */
  readonly #isReal: boolean;

  constructor(options: ClusterOptions = {}) {
    const { clock } = this;
    const api = (options.api ?? ((clock) => createFakeKubeApi({ clock })))(clock);
    this.api = api;
    this.#isReal = options.api !== undefined;
    const random = steadyRandom();
    const informers = createSharedInformers({ api, clock, log: silentLog, random });
    const events = createEventSink({ api, clock, log: silentLog });
    const { signing } = options;
    const controllers = createControllers({
      api,
      informers,
      events,
      clock,
      log: silentLog,
      random,
      rootCa: 'CA',
      ...(signing ? { signing } : {}),
    });
    this.#modules = [informers, events, controllers, ...(options.more?.({ api, informers, clock, events }) ?? [])];
  }

  async start(): Promise<this> {
    for (const name of ['default', 'kube-system']) {
      await this.api.create(collections.namespaces, undefined, { metadata: { name } }).catch(() => undefined);
    }
    await this.clock.until(this.#host.start(this.#modules, new AbortController().signal));
    return this;
  }

  async stop(): Promise<void> {
    assert.deepEqual(await this.clock.until(this.#host.stop()), []);
  }

  async list<T extends KubeObject>(of: Collection<T>, namespace?: string): Promise<T[]> {
    return (await this.api.list(of, { namespace })).items as unknown as T[];
  }

  /** Here and below, the namespace is '' for cluster-scoped objects. */
  async get<T extends KubeObject>(of: Collection<T>, name: string, namespace = 'default'): Promise<T> {
    return (await this.api.get(of, { namespace: namespace || undefined, name })) as T;
  }

  apply<T extends KubeObject>(of: Collection<T>, object: T, namespace = 'default'): Promise<T> {
    return this.api.create(of, namespace || undefined, object) as Promise<unknown> as Promise<T>;
  }

  patch<T extends KubeObject>(of: Collection<T>, name: string, patch: object, namespace = 'default'): Promise<T> {
    return this.api.patch(
      of,
      { namespace: namespace || undefined, name },
      'merge',
      JSON.stringify(patch),
    ) as Promise<unknown> as Promise<T>;
  }

  /** Lets everything that has something to do right now do it. */
  async settle(): Promise<void> {
    await this.clock.advance(seconds(1));
  }

  /**
   * Moves time on until `check` no longer throws; rethrows what it says when `within` is over, and a real server has had
   * the time to finish what it was at: a busy machine writes to its disk more slowly than this clock runs.
   */
  async eventually(check: () => Promise<void>, within: Duration = seconds(60)): Promise<void> {
    const end = this.clock.monotonic() + within;
    const realEnd = performance.now() + (this.#isReal ? realPatience : 0);
    for (;;) {
      if (this.clock.monotonic() < end) await this.settle();
      else await settle();
      try {
        return await check();
      } catch (error) {
        if (this.clock.monotonic() >= end && performance.now() >= realEnd) throw error;
      }
    }
  }

  /** What kubelets would do: start pods that are not running, finish those that are told to stop. */
  async runPods(which: (pod: Pod) => boolean = () => true): Promise<void> {
    for (const pod of await this.list(collections.pods)) {
      const { namespace, name = '', deletionTimestamp } = pod.metadata;
      if (deletionTimestamp) await this.api.delete(collections.pods, { namespace, name }, { gracePeriodSeconds: 0 });
      else if (pod.status?.phase === 'Pending' && which(pod)) await this.setReady(pod, true);
    }
    await this.settle();
  }

  /** Every node says that it is alive. */
  async heartbeat(): Promise<void> {
    const beat = { type: 'Ready', status: 'True', lastHeartbeatTime: toTime(this.clock.now()) };
    const patch = JSON.stringify({ status: { conditions: [beat] } });
    for (const { metadata } of await this.list(collections.nodes)) {
      await this.api.patch(collections.nodes, { name: metadata.name ?? '', subresource: 'status' }, 'strategic', patch);
    }
  }

  async setReady(pod: Pod, isReady: boolean): Promise<void> {
    const { namespace, name = '' } = pod.metadata;
    const ready: PodCondition = {
      type: 'Ready',
      status: isReady ? 'True' : 'False',
      lastTransitionTime: toTime(this.clock.now()),
    };
    const conditions = [...(pod.status?.conditions ?? []).filter(({ type }) => type !== 'Ready'), ready];
    const patch = JSON.stringify({ status: { phase: 'Running', conditions } });
    await this.api.patch(collections.pods, { namespace, name, subresource: 'status' }, 'merge', patch);
  }

  /** Runs pods until the Deployment says that it is complete. */
  async rollOut(name: string): Promise<Deployment> {
    let latest: Deployment | undefined;
    await this.eventually(async () => {
      await this.runPods();
      latest = await this.get(collections.deployments, name);
      const { spec, status, metadata } = latest;
      assert.deepEqual(
        [
          status?.updatedReplicas ?? 0,
          status?.replicas ?? 0,
          status?.availableReplicas ?? 0,
          status?.observedGeneration,
        ],
        [spec?.replicas, spec?.replicas, spec?.replicas, metadata.generation],
      );
    });
    return latest!;
  }

  async eventsAbout(name: string): Promise<string[]> {
    const events = (await this.list(collections.events)) as Event[];
    return events
      .filter(({ involvedObject }) => involvedObject.name === name)
      .map(({ reason, message }) => `${reason}: ${message}`);
  }
}
