// Edged on a real container runtime, with its cloud played by the test: pods are put and deleted, statuses collected.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type OwnedScope, openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { type Instant, minutes, seconds } from '@kedge/core/time';
import { failure, nodeName } from '@kedge/model/k8s';
import type { Pod, PodSpec, PodStatus } from '@kedge/model/k8s-types';
import { createEdged } from '@kedge/edge/edged';
import { askGrpcHealth, grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { createCgroups, createHost, createMounts, createProbeNetwork } from '@kedge/platform/linux';
import { createFiles, createProcesses, createRandom, systemClock } from '@kedge/platform/node';
import type { PrivateRuntime } from '@kedge/testing/runtime';

/** Longest wait for something that takes a second on an idle machine. */
const patience = 60_000;

export class Edge {
  readonly pods = new Map<string, Pod>();
  readonly statuses = new Map<string, PodStatus>();
  readonly removals: string[] = [];
  readonly objects = new Map<string, Record<string, string>>([['configmap/settings', { greeting: 'hello' }]]);
  readonly #runtime: PrivateRuntime;
  readonly #listeners = new Set<{ onPut(pod: Pod): void; onDelete(pod: Pod): void }>();
  #scope: OwnedScope | undefined;

  constructor(runtime: PrivateRuntime) {
    this.#runtime = runtime;
  }

  get root(): string {
    return `${this.#runtime.directory}/kubelet`;
  }
  get manifests(): string {
    return `${this.#runtime.directory}/manifests`;
  }
  get plugins(): string {
    return `${this.#runtime.directory}/device-plugins`;
  }
  get logs(): string {
    return `${this.#runtime.directory}/pod-logs`;
  }

  async start(): Promise<void> {
    const { cri, site } = this.#runtime;
    const offline = { ok: false as const, status: failure('ServiceUnavailable', 'there is no cloud') };
    const edged = createEdged({
      clock: systemClock,
      log: silentLog,
      random: createRandom(),
      cri,
      files: createFiles(),
      mounts: createMounts(createProcesses()),
      cgroups: createCgroups(createProcesses()),
      host: createHost(),
      network: { ...createProbeNetwork(), grpcHealth: askGrpcHealth },
      pods: {
        list: () => this.pods.values(),
        get: (uid) => this.pods.get(uid),
        listen: (listener) => {
          this.#listeners.add(listener);
          return () => this.#listeners.delete(listener);
        },
      },
      store: { isEmpty: false },
      objects: {
        get: async (type, namespace = '', name) => {
          const data = this.objects.get(`${type}/${name}`);
          return data
            ? { ok: true, value: { metadata: { name, namespace }, data } }
            : { ok: false, status: failure('NotFound', `${type} "${name}" not found`) };
        },
        listen: () => () => undefined,
      },
      tokens: {
        request: async () => ({
          ok: true,
          value: { token: 'a-token', expiresAt: (Date.now() + 3_600_000) as Instant },
        }),
      },
      services: { around: async () => [] },
      outbox: {
        podStatus: async ({ ref, status }) => void this.statuses.set(ref.name, status),
        podDelete: async ({ ref }) => void this.removals.push(ref.name),
        event: () => undefined,
      },
      rpc: { servers: grpcServers, openChannel: openGrpcChannel },
      asks: { ask: async () => offline },
      link: { isOnline: false, listen: () => () => undefined },
      config: {
        node: nodeName('edge-1'),
        site: 'edge-1',
        rootDirectory: this.root,
        podLogsDirectory: this.logs,
        cgroupRoot: site.cgroupRoot,
        cgroupDriver: 'cgroupfs',
        clusterDomain: 'cluster.local',
        clusterDns: [],
        resolvConf: '/etc/resolv.conf',
        allowedUnsafeSysctls: [],
        seccompDefault: false,
        reserved: { cpuMillis: 0, memoryBytes: 0, diskBytes: 0 },
        podPidsLimit: -1,
        shutdown: undefined,
        devicePluginDirectory: this.plugins,
        cpuManager: undefined,
        staticPods: { directory: this.manifests, every: seconds(1) },
        credentialProviders: undefined,
        maxPods: 110,
        nodeLabels: {},
        nodeTaints: [],
        registerNode: true,
        registerSchedulable: true,
        nodeIp: undefined,
        statusUpdateEvery: seconds(10),
        statusReportEvery: minutes(5),
        leaseDuration: seconds(40),
        version: 'v1.32.0-kedge-v0.1.0',
        reportEvents: true,
        imagePullParallel: 3,
        podSandboxImage: '',
        eviction: { thresholds: [], transitionPeriod: minutes(5), maxPodGraceSeconds: 0 },
        imageGc: { high: 1, low: 1, minAge: minutes(2), maxAge: seconds(0) },
        imagesInStatus: -1,
        logRotation: { maxBytes: 20_000, maxFiles: 3, every: seconds(1) },
      },
    });
    this.#scope = openScope({ clock: systemClock, name: 'edged' });
    await edged.start(this.#scope);
  }

  async stop(): Promise<void> {
    assert.deepEqual((await this.#scope?.close(seconds(10))) ?? [], []);
    this.#scope = undefined;
  }

  put(name: string, spec: Partial<PodSpec>, meta: Partial<Pod['metadata']> = {}): void {
    const pod: Pod = {
      metadata: { name, namespace: 'default', uid: `uid-${name}`, ...meta },
      spec: { nodeName: 'edge-1', terminationGracePeriodSeconds: 2, containers: [], ...spec },
    };
    this.pods.set(`uid-${name}`, pod);
    for (const listener of this.#listeners) listener.onPut(pod);
  }

  delete(name: string): void {
    const pod = this.pods.get(`uid-${name}`)!;
    const metadata = { ...pod.metadata, deletionTimestamp: new Date().toISOString(), deletionGracePeriodSeconds: 2 };
    this.put(name, pod.spec ?? {}, metadata);
  }

  forget(name: string): void {
    const pod = this.pods.get(`uid-${name}`)!;
    this.pods.delete(`uid-${name}`);
    for (const listener of this.#listeners) listener.onDelete(pod);
  }

  async until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
    const end = Date.now() + patience;
    while (!(await isTrue())) {
      if (Date.now() > end)
        assert.fail(`${what}: not within a minute; ${JSON.stringify([...this.statuses], undefined, 1)}`);
      await sleep(20);
    }
  }

  main(name: string) {
    return this.statuses.get(name)?.containerStatuses?.[0];
  }

  /** What it printed, put together from the parts that runtimes write. */
  words(name: string): string {
    return this.log(name).replace(/^\S+ \S+ ([FP]) (.*)\n/gm, (_, part, text) => (part === 'P' ? text : `${text}\n`));
  }

  log(name: string, restart = 0): string {
    const file = `${this.logs}/default_${name}_uid-${name}/main/${restart}.log`;
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
}
