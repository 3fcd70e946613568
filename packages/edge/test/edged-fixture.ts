// Edged with everything around it in memory: a container runtime, files, neighbours, and a clock that stands still.
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import type { CgroupLimits, HostShutdowns, HttpServers } from '@kedge/core/ports';
import { type Duration, minutes, seconds } from '@kedge/core/time';
import { nodeName } from '@kedge/model/k8s';
import { failure, type KubeObject } from '@kedge/model/k8s';
import type { Event, Pod, PodSpec, PodStatus, Service } from '@kedge/model/k8s-types';
import type { Outcome, QuestionBody } from '@kedge/model/messages';
import { createEdged, type EdgedConfig, type EdgedDeps } from '@kedge/edge/edged';
import { FakeCri, type FakeCriOptions } from '@kedge/testing/cri';
import { createMemoryFiles } from '@kedge/testing/files';

export const image = 'docker.io/library/app:1';

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const config: EdgedConfig = {
  node: nodeName('edge-1'),
  site: 'edge-1',
  rootDirectory: '/var/lib/kedge',
  podLogsDirectory: '/var/log/pods',
  cgroupRoot: '/kedge',
  cgroupDriver: 'cgroupfs',
  clusterDomain: 'cluster.local',
  clusterDns: ['10.96.0.10'],
  resolvConf: '/etc/resolv.conf',
  allowedUnsafeSysctls: [],
  seccompDefault: false,
  reserved: { cpuMillis: 0, memoryBytes: 0, diskBytes: 0 },
  podPidsLimit: -1,
  devicePluginDirectory: undefined,
  cpuManager: undefined,
  staticPods: undefined,
  credentialProviders: undefined,
  maxPods: 110,
  nodeLabels: { site: 'north' },
  nodeTaints: [],
  registerNode: true,
  registerSchedulable: true,
  nodeIp: undefined,
  statusUpdateEvery: seconds(10),
  statusReportEvery: minutes(5),
  leaseDuration: seconds(40),
  version: 'v1.32.0-kedge-v0.1.0',
  reportEvents: true,
  imagePullParallel: 2,
  podSandboxImage: 'pause:1',
  eviction: {
    thresholds: [
      {
        signal: 'memory.available',
        below: { units: 100 * 1_024 ** 2 },
        written: '100Mi',
        grace: seconds(0),
        reclaim: undefined,
      },
      { signal: 'nodefs.available', below: { share: 0.1 }, written: '10%', grace: seconds(0), reclaim: undefined },
    ],
    transitionPeriod: minutes(5),
    maxPodGraceSeconds: 0,
  },
  imageGc: { high: 0.85, low: 0.8, minAge: minutes(2), maxAge: seconds(0) },
  imagesInStatus: 0,
  shutdown: undefined,
  logRotation: { maxBytes: 1_000, maxFiles: 3, every: seconds(10) },
};

/** A cloud that keeps Nodes and Leases, as far as edged asks for them. */
class FakeCloud {
  readonly objects = new Map<string, KubeObject>();
  readonly asked: string[] = [];
  isOnline = true;
  /** PEM of the CA of the Kubernetes API. */
  ca: string | undefined;
  #version = 0;

  answer(question: QuestionBody): Outcome<KubeObject> {
    if (!this.isOnline) return { ok: false, status: failure('ServiceUnavailable', 'offline') };
    if (question.kind === 'ca.get' && this.ca !== undefined) {
      return { ok: true, value: this.ca } as unknown as Outcome<KubeObject>;
    }
    const ref = 'ref' in question ? question.ref : undefined;
    const key = `${ref?.type}/${ref?.name}`;
    this.asked.push(`${question.kind} ${key}`);
    const present = this.objects.get(key);
    const store = (object: KubeObject): Outcome<KubeObject> => {
      this.#version += 1;
      const uid = present?.metadata.uid ?? `uid-${this.#version}`;
      const stored = { ...object, metadata: { ...object.metadata, uid, resourceVersion: String(this.#version) } };
      this.objects.set(key, stored);
      return { ok: true, value: stored };
    };
    if (question.kind === 'object.create') {
      return present ? { ok: false, status: failure('AlreadyExists', 'there is one') } : store(question.object);
    }
    if (!present) return { ok: false, status: failure('NotFound', `${key} not found`) };
    if (question.kind === 'object.get') return { ok: true, value: present };
    if (question.kind === 'object.update') return store(question.object);
    if (question.kind === 'node.status') return store({ ...present, ...(JSON.parse(question.patch) as object) });
    return { ok: false, status: failure('BadRequest', question.kind) };
  }
}

export class EdgedFixture {
  readonly clock = new FakeClock({ settle });
  readonly fake: FakeCri;
  readonly files = createMemoryFiles();
  /** Nothing can be written any more. */
  isDiskFull = false;
  /** How full every disk is. */
  space = () => ({ totalBytes: 1e12, freeBytes: 5e11, totalInodes: 1e6, freeInodes: 5e5 });
  readonly cloud = new FakeCloud();
  readonly pods = new Map<string, Pod>();
  /** The newest status of each pod by name. */
  readonly statuses = new Map<string, PodStatus>();
  readonly history: string[] = [];
  readonly removals: string[] = [];
  readonly events: Event[] = [];
  /** ConfigMaps and Secrets by `type/namespace/name`. */
  readonly objects = new Map<string, KubeObject>();
  services: Service[] = [];
  readonly mounted = new Set<string>();
  /** What is shown where. */
  readonly bound = new Map<string, string>();
  readonly cgroupsRemoved: string[] = [];
  readonly cgroupLimits = new Map<string, CgroupLimits>();
  cgroupsRefuse = false;
  /** What HTTP probes get. */
  httpStatus = 200;
  /** Where they are sent on to, by path. */
  redirects = new Map<string, string>();
  readonly probed: string[] = [];
  /** What gRPC probes get. */
  servingStatus: (service: string) => number = () => 1;
  tokenSerial = 0;
  isStoreEmpty = false;
  addresses = ['192.0.2.7'];
  /** Killed by the kernel for want of memory. */
  readonly victims: { process: string; pid: number }[] = [];
  isReadOnly = false;
  hasAppArmor = false;
  cloudIsAhead = 0;
  /** For device plugins. */
  rpc: EdgedDeps['rpc'] = undefined;
  hugePages: ReadonlyMap<number, number> = new Map();
  freeMemoryBytes = 2 * 1_024 ** 3;
  processes = 100;
  /** What hears of the machine's shutdown. */
  shutdowns: HostShutdowns | undefined = undefined;
  readonly #podListeners = new Set<{ onPut(pod: Pod): void; onDelete(pod: Pod): void }>();
  readonly #objectListeners = new Map<
    string,
    Set<{ onPut(object: KubeObject): void; onDelete(object: KubeObject): void }>
  >();
  #listen: HttpServers['listen'] | undefined;
  readonly #linkListeners = new Set<(isOnline: boolean) => void>();
  #scope: ReturnType<typeof openScope> | undefined;
  #life = { isOver: false };

  constructor(options: Partial<FakeCriOptions> = {}) {
    this.fake = new FakeCri({ clock: this.clock, images: [image], ...options });
  }

  /** Where the kubelet's endpoints are to be served. */
  listenWith(listen: HttpServers['listen']): void {
    this.#listen = listen;
  }

  async start(more: Partial<EdgedConfig> = {}): Promise<void> {
    await this.files.makeDirectory('/etc');
    await this.files.writeAtomically('/etc/resolv.conf', 'nameserver 192.0.2.53\nsearch example.com\n');
    this.#scope = openScope({ clock: this.clock, name: 'edged' });
    const life = (this.#life = { isOver: false });
    void this.#scope.failed.then((error) => life.isOver || this.history.push(`FAILED ${error.stack}`));
    await createEdged(this.#deps({ ...config, ...more })).start(this.#scope);
    await this.pass(seconds(0));
  }

  /** Ends edged; the runtime goes on. */
  async stop(): Promise<readonly string[]> {
    const left = await this.clock.until(this.#scope?.close(seconds(5)) ?? Promise.resolve([]));
    this.#scope = undefined;
    return left;
  }

  /** Ends edged as a kill does: from here on nothing that it had begun reaches the world. The runtime goes on. */
  async kill(): Promise<void> {
    this.#life.isOver = true;
    await this.stop();
  }

  pass(howLong: Duration): Promise<void> {
    return this.clock.advance(howLong);
  }

  put(name: string, spec: Partial<PodSpec>, meta: Partial<Pod['metadata']> = {}): Pod {
    const containers = [{ name: 'main', image, command: ['serve'] }];
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: 'default', uid: `uid-${name}`, ...meta },
      spec: { nodeName: 'edge-1', terminationGracePeriodSeconds: 30, containers, ...spec },
    };
    return this.change(pod);
  }

  change(pod: Pod): Pod {
    this.pods.set(pod.metadata.uid ?? '', pod);
    for (const listener of this.#podListeners) listener.onPut(pod);
    return pod;
  }

  /** What kubectl delete leads to. */
  markDeleted(name: string, gracePeriodSeconds = 30): void {
    const pod = this.pods.get(`uid-${name}`)!;
    const deletionTimestamp = new Date(this.clock.now() + gracePeriodSeconds * 1_000).toISOString();
    const metadata = { ...pod.metadata, deletionTimestamp, deletionGracePeriodSeconds: gracePeriodSeconds };
    this.change({ ...pod, metadata });
  }

  /** The API has removed it. */
  forget(name: string): void {
    const pod = this.pods.get(`uid-${name}`)!;
    this.pods.delete(`uid-${name}`);
    for (const listener of this.#podListeners) listener.onDelete(pod);
  }

  putObject(type: 'configmap' | 'secret', name: string, data: Record<string, string>): void {
    const object = { metadata: { name, namespace: 'default' }, data };
    this.objects.set(`${type}/default/${name}`, object);
    for (const listener of this.#objectListeners.get(type) ?? []) listener.onPut(object);
  }

  setOnline(isOnline: boolean): void {
    this.cloud.isOnline = isOnline;
    for (const listener of this.#linkListeners) listener(isOnline);
  }

  /** The main container's state in the newest status. */
  state(name: string, container = 'main'): string {
    const status = this.statuses.get(name);
    const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    const state = all.find((one) => one.name === container)?.state;
    return state?.waiting?.reason ?? (state?.running ? 'running' : `exited ${state?.terminated?.exitCode}`);
  }

  reasons(): string[] {
    return this.events.map(({ reason }) => reason ?? '');
  }

  #writes(): Pick<EdgedDeps['files'], 'makeDirectory' | 'append' | 'writeAtomically' | 'symlink'> {
    const unlessFull =
      <Args extends unknown[], Result>(write: (...args: Args) => Promise<Result>) =>
      async (...args: Args): Promise<Result> => {
        if (this.isDiskFull) throw new Error(`ENOSPC: no space left on device, '${String(args[0])}'`);
        return write(...args);
      };
    const { makeDirectory, append, writeAtomically, symlink } = this.files;
    return {
      makeDirectory: unlessFull(makeDirectory),
      append: unlessFull(append),
      writeAtomically: unlessFull(writeAtomically),
      symlink: unlessFull(symlink),
    };
  }

  #deps(edgedConfig: EdgedConfig): EdgedDeps {
    const { clock, files, mounted } = this;
    const deps: EdgedDeps = {
      clock,
      log: silentLog,
      random: {
        next: () => 0.5,
        uuid: () => `00000000-0000-4000-8000-${String(this.events.length).padStart(12, '0')}`,
      },
      config: edgedConfig,
      cri: this.fake.cri,
      files: { ...files, ...this.#writes(), space: async () => this.space() },
      mounts: {
        mountMemory: async (path) => void mounted.add(path),
        mountHugePages: async (path) => void mounted.add(path),
        bindBelow: async (root, path, target) => {
          const source = [root, ...path].join('/');
          if ((await files.info(source)) === undefined) await files.makeDirectory(source);
          mounted.add(target);
          this.bound.set(target, source);
        },
        unmount: async (path) => void mounted.delete(path),
        below: async (path) => [...mounted].filter((mount) => mount.startsWith(`${path}/`)),
      },
      cgroups: {
        set: async (path, limits) => {
          if (this.cgroupsRefuse) throw new Error('no space left on device');
          this.cgroupLimits.set(path, limits);
        },
        remove: async (path) => {
          this.cgroupsRemoved.push(path);
          return true;
        },
      },
      host: {
        facts: async () => ({
          hostname: 'edge-1',
          machineId: 'm',
          systemUuid: 's',
          bootId: 'b',
          kernelVersion: '6.1',
          osImage: 'Test Linux',
          architecture: 'amd64',
          cpus: 4,
          memoryBytes: 4 * 1_024 ** 3,
          hugePages: this.hugePages,
          addresses: this.addresses,
        }),
        load: async () => ({
          availableMemoryBytes: this.freeMemoryBytes,
          processes: this.processes,
          maxProcesses: 32_768,
        }),
        memoryVictims: async (place) => {
          const victims = this.victims.slice(place ?? 0);
          return { place: this.victims.length, victims: place === undefined ? [] : victims };
        },
        isReadOnly: async () => this.isReadOnly,
        hasAppArmor: async () => this.hasAppArmor,
        processors: async () => [0, 1, 2, 3].map((cpu) => ({ cpu, core: cpu, socket: 0 })),
        cpuTime: async () => ({ busySeconds: 1_234.5, bootedAt: 1_000_000 }),
      },
      network: {
        connect: async () => undefined,
        get: async ({ scheme, host, port, path }) => {
          this.probed.push(`${scheme}://${host}:${port}${path}`);
          const location = this.redirects.get(path);
          return { status: location === undefined ? this.httpStatus : 302, body: '', location };
        },
        grpcHealth: async ({ service }) => this.servingStatus(service),
      },
      pods: {
        list: () => this.pods.values(),
        get: (uid) => this.pods.get(uid),
        listen: (listener) => {
          this.#podListeners.add(listener);
          return () => this.#podListeners.delete(listener);
        },
      },
      store: { isEmpty: false },
      objects: {
        get: async (type, namespace, name) => {
          const value = this.objects.get([type, namespace, name].filter(Boolean).join('/'));
          return value
            ? { ok: true, value }
            : { ok: false, status: failure('NotFound', `${type} "${name}" not found`) };
        },
        listen: (type, listener) => {
          const ofType = this.#objectListeners.get(type) ?? new Set();
          this.#objectListeners.set(type, ofType.add(listener));
          return () => ofType.delete(listener);
        },
      },
      tokens: {
        request: async ({ expirationSeconds }) => {
          this.tokenSerial += 1;
          const expiresAt = (clock.now() + expirationSeconds * 1_000) as ReturnType<FakeClock['now']>;
          return { ok: true, value: { token: `token-${this.tokenSerial}`, expiresAt } };
        },
      },
      services: { around: async () => this.services },
      outbox: {
        podStatus: async ({ ref, uid, status }) => {
          const pod = this.pods.get(uid);
          if (pod && this.cloud.isOnline) this.pods.set(uid, { ...pod, status });
          this.statuses.set(ref.name, status);
          this.history.push(`${ref.name} ${status.phase}`);
        },
        podDelete: async ({ ref }) => void this.removals.push(ref.name),
        event: ({ event }) => void this.events.push(event),
      },
      ...(this.#listen
        ? {
            server: {
              metrics: { format: () => '' },
              servers: { listen: this.#listen },
              serving: {
                current: () => ({ certificate: 'certificate of edge-1', key: 'key' }),
                listen: () => () => undefined,
              },
            },
          }
        : {}),
      rpc: this.rpc,
      openShutdowns: async () => this.shutdowns!,
      asks: {
        ask: async <T>(question: QuestionBody) => this.cloud.answer(question) as Outcome<T>,
        cloudClock: () => ({ ahead: this.cloudIsAhead, within: 50 }),
      },
      link: {
        isOnline: true,
        listen: (listener) => {
          this.#linkListeners.add(listener);
          return () => this.#linkListeners.delete(listener);
        },
      },
    };
    const { cloud } = this;
    Object.defineProperty(deps.link, 'isOnline', { get: () => cloud.isOnline });
    Object.defineProperty(deps.store, 'isEmpty', { get: () => this.isStoreEmpty });
    const life = this.#life;
    return {
      ...deps,
      cri: mortal(life, deps.cri),
      files: mortal(life, deps.files),
      mounts: mortal(life, deps.mounts),
      cgroups: mortal(life, deps.cgroups),
      outbox: mortal(life, deps.outbox),
    };
  }
}

/** `port` as a process sees it that may be killed: whatever it asks for after that never comes. */
const mortal = <T extends object>(life: { readonly isOver: boolean }, port: T): T =>
  new Proxy(port, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => (life.isOver ? new Promise(() => undefined) : value.apply(target, args));
    },
  });
