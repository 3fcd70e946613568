// A container runtime in memory that behaves as containerd does where edged can see it. Containers run until told to
// exit, until they are stopped, or as long as their command says: `sh -c "exit 3"` ends at once with 3.
import type { Clock } from '@kedge/core/time';
import { milliseconds } from '@kedge/core/time';
import {
  type Container,
  type ContainerConfig,
  type ContainerEventResponse,
  ContainerEventType,
  ContainerState,
  type ContainerStats,
  type ContainerStatus,
  type Cri,
  type LinuxContainerResources,
  type PodSandbox,
  type PodSandboxConfig,
  PodSandboxState,
  NamespaceMode,
  type Whole,
} from '@kedge/wire/cri';
import { type CallOptions, type RpcCode, rpcErrors } from '@kedge/wire/rpc';

export interface FakeSandbox {
  readonly id: string;
  readonly config: PodSandboxConfig;
  readonly ip: string;
  readonly runtimeHandler: string;
  readonly createdAt: number;
  isReady: boolean;
}

export interface FakeContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly createdAt: number;
  state: 'created' | 'running' | 'exited';
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  /** As created or updated last. */
  resources: LinuxContainerResources;
}

export interface FakeCriOptions {
  readonly clock: Clock;
  /** On the node already. */
  readonly images?: readonly string[];
  /** Can be pulled. */
  readonly registry?: readonly string[];
  /** True: the runtime tells of changes, as containerd does since 1.7. */
  /** `off`: the runtime has them, but ends the stream at once. */
  readonly events?: boolean | 'off';
  /** What a command in a container answers; success without output when absent. */
  readonly exec?: (container: FakeContainer, command: readonly string[]) => { exitCode: number; stdout?: string };
  /** False: a container ignores the polite signal and is killed after its grace. */
  readonly obeys?: (container: FakeContainer) => boolean;
}

type Method = keyof Cri;

export interface FakeCall {
  readonly method: Method;
  /** Uid of the pod that the call is about, or the name of the image; undefined when it is about neither or all. */
  readonly about: string | undefined;
  readonly options: CallOptions;
}

export class FakeCri {
  readonly sandboxes = new Map<string, FakeSandbox>();
  readonly containers = new Map<string, FakeContainer>();
  readonly images: Set<string>;
  readonly registry: Set<string>;
  /** Every change asked for, such as `startContainer main`. */
  readonly done: string[] = [];
  /** Nothing answers while true. */
  isDown = false;
  isNetworkReady = true;
  /** By handler, what the runtime says it can do; the default handler is the empty name. */
  readonly handlers = new Map<string, { recursiveReadOnlyMounts: boolean; userNamespaces: boolean }>();
  hasStrictGroups = false;
  /** How often events were asked for. */
  eventStreams = 0;
  /** How many lists of states were asked for. */
  asked = 0;
  /** Pulls never end while true, unless they are cancelled. */
  pullsHang = false;
  /**
   * Stands between every call and the runtime. `work` makes the call take effect and gives its answer; what is returned or
   * thrown instead is what the caller gets.
   */
  tamper: ((call: FakeCall, work: () => Promise<unknown>) => Promise<unknown>) | undefined;
  /** How often each method was called. */
  readonly calls = new Map<Method, number>();
  readonly cri: Cri;
  readonly #options: FakeCriOptions;
  readonly #watchers = new Set<(container: FakeContainer) => void>();
  readonly #failures = new Map<Method, { code: RpcCode; message: string; times: number }>();
  #serial = 0;

  constructor(options: FakeCriOptions) {
    this.#options = options;
    this.images = new Set(options.images ?? []);
    this.registry = new Set(options.registry ?? []);
    this.cri = this.#build();
  }

  /** The newest container of this name. */
  container(name: string): FakeContainer | undefined {
    return [...this.containers.values()].filter(({ config }) => config.metadata?.name === name).at(-1);
  }

  get running(): string[] {
    return [...this.containers.values()]
      .filter(({ state }) => state === 'running')
      .map(({ config }) => config.metadata?.name ?? '');
  }

  /** Ends a running container by itself. */
  exit(name: string, exitCode: number): void {
    const container = this.container(name);
    if (container?.state === 'running') this.#end(container, exitCode);
  }

  /** The sandbox process dies, and with it everything in the sandbox. */
  killSandbox(id: string): void {
    const sandbox = this.sandboxes.get(id);
    if (!sandbox) return;
    sandbox.isReady = false;
    for (const container of this.#containersOf(id)) this.#end(container, 137);
  }

  /** As after a reboot of the host: everything is known, nothing runs. */
  reboot(): void {
    for (const id of this.sandboxes.keys()) this.killSandbox(id);
  }

  /** As after the loss of the runtime's directory. */
  loseEverything(): void {
    this.sandboxes.clear();
    this.containers.clear();
  }

  /** The next calls of a method fail. */
  fail(method: Method, code: RpcCode, message: string, times = 1): void {
    this.#failures.set(method, { code, message, times });
  }

  #now(): number {
    return this.#options.clock.now();
  }

  #id(): string {
    this.#serial += 1;
    return this.#serial.toString(16).padStart(64, '0');
  }

  #containersOf(sandboxId: string): FakeContainer[] {
    return [...this.containers.values()].filter((container) => container.sandboxId === sandboxId);
  }

  #end(container: FakeContainer, exitCode: number): void {
    if (container.state === 'exited') return;
    container.state = 'exited';
    container.exitCode = exitCode;
    container.finishedAt = this.#now();
    for (const tell of this.#watchers) tell(container);
  }

  /** Wraps a method: it may be down or told to fail, and answers in a later turn as a real one does. */
  #method<Request, Answer>(
    method: Method,
    work: (request: Request, options: CallOptions) => Promise<Answer> | Answer,
  ): (request: Request, options?: CallOptions) => Promise<Answer> {
    return async (request, options = {}) => {
      options.signal?.throwIfAborted();
      this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
      await Promise.resolve();
      if (this.isDown) throw rpcErrors.UNREACHABLE({ method, address: 'fake', reason: 'it is down' });
      const failure = this.#failures.get(method);
      if (failure) {
        failure.times -= 1;
        if (failure.times <= 0) this.#failures.delete(method);
        throw refuse(method, failure.code, failure.message);
      }
      const go = async (): Promise<Answer> => work(request, options);
      if (!this.tamper) return go();
      return this.tamper({ method, about: this.#about(request as Mentions), options }, go) as Promise<Answer>;
    };
  }

  #about(request: Mentions): string | undefined {
    if (request.image?.image) return request.image.image;
    const { config, sandboxConfig, filter } = request;
    const container = this.containers.get(request.containerId ?? '');
    const sandbox = this.sandboxes.get(request.podSandboxId ?? container?.sandboxId ?? '');
    return (
      filter?.labelSelector?.['io.kubernetes.pod.uid'] ??
      (sandboxConfig ?? sandbox?.config ?? config)?.metadata?.uid ??
      undefined
    );
  }

  #build(): Cri {
    return { ...this.#runtime(), ...this.#sandboxCalls(), ...this.#containerCalls(), ...this.#imageCalls() } as Cri;
  }

  #runtime(): Partial<Cri> {
    const condition = (type: string, status: boolean) => ({
      type,
      status,
      reason: status ? '' : 'NetworkPluginNotReady',
      message: status ? '' : 'cni plugin not initialized',
    });
    return {
      version: this.#method('version', () => ({
        version: '0.1.0',
        runtimeName: 'fake',
        runtimeVersion: '1.0.0',
        runtimeApiVersion: 'v1',
      })),
      status: this.#method('status', () => ({
        status: { conditions: [condition('RuntimeReady', true), condition('NetworkReady', this.isNetworkReady)] },
        info: {},
        runtimeHandlers: [...this.handlers].map(([name, features]) => ({ name, features })),
        features: this.hasStrictGroups ? { supplementalGroupsPolicy: true } : undefined,
      })),
      containerEvents: (options) => this.#events(options?.signal),
      containerStates: (options) =>
        this.#method('containerStates', () => {
          this.asked += 1;
          return new Map([...this.containers].map(([id, { state }]) => [id, containerStates[state]]));
        })({}, options),
      sandboxStates: (options) =>
        this.#method(
          'sandboxStates',
          () => new Map([...this.sandboxes].map(([id, { isReady }]) => [id, sandboxState(isReady)])),
        )({}, options),
    };
  }

  async *#events(signal: AbortSignal | undefined): ReturnType<Cri['containerEvents']> {
    this.eventStreams += 1;
    if (this.#options.events === 'off') return;
    if (!this.#options.events) {
      throw refuse('containerEvents', 'UNIMPLEMENTED', 'method GetContainerEvents not implemented');
    }
    const waiting: FakeContainer[] = [];
    let wake: () => void = () => undefined;
    const watcher = (container: FakeContainer): void => {
      waiting.push(container);
      wake();
    };
    this.#watchers.add(watcher);
    signal?.addEventListener('abort', () => wake(), { once: true });
    try {
      while (!signal?.aborted) {
        const container = waiting.shift();
        if (container) yield this.#stopped(container);
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  #stopped(container: FakeContainer): Whole<ContainerEventResponse> {
    const sandbox = this.sandboxes.get(container.sandboxId);
    return {
      containerId: container.id,
      containerEventType: ContainerEventType.CONTAINER_STOPPED_EVENT,
      createdAt: nanoseconds(this.#now()),
      podSandboxStatus: sandbox && { ...toPodSandbox(sandbox), network: undefined, linux: undefined },
      containersStatuses: [toContainerStatus(container)],
    };
  }

  #sandboxCalls(): Partial<Cri> {
    return {
      runPodSandbox: this.#method('runPodSandbox', ({ config = {}, runtimeHandler = '' }) => {
        if (runtimeHandler !== '' && !this.handlers.has(runtimeHandler))
          throw refuse('runPodSandbox', 'UNKNOWN', `no runtime for "${runtimeHandler}" is configured`);
        const { name, namespace, uid, attempt } = config.metadata ?? {};
        const taken = [...this.sandboxes.values()].some(
          ({ config: { metadata } }) => metadata?.uid === uid && metadata?.attempt === attempt,
        );
        if (taken)
          throw refuse('runPodSandbox', 'UNKNOWN', `name "${name}_${namespace}_${uid}_${attempt}" is reserved`);
        const id = this.#id();
        const isHost = config.linux?.securityContext?.namespaceOptions?.network === NamespaceMode.NODE;
        const ip = isHost ? '' : `10.0.0.${(this.#serial % 250) + 1}`;
        this.sandboxes.set(id, { id, config, ip, runtimeHandler, createdAt: this.#now(), isReady: true });
        this.done.push(`runPodSandbox ${name}`);
        return { podSandboxId: id };
      }),
      stopPodSandbox: this.#method('stopPodSandbox', ({ podSandboxId = '' }) => {
        const sandbox = this.sandboxes.get(podSandboxId);
        if (sandbox) this.done.push(`stopPodSandbox ${sandbox.config.metadata?.name}`);
        this.killSandbox(podSandboxId);
        return {};
      }),
      removePodSandbox: this.#method('removePodSandbox', ({ podSandboxId = '' }) => {
        for (const { id } of this.#containersOf(podSandboxId)) this.containers.delete(id);
        this.sandboxes.delete(podSandboxId);
        return {};
      }),
      podSandboxStatus: this.#method('podSandboxStatus', ({ podSandboxId = '' }) => {
        const sandbox = this.sandboxes.get(podSandboxId);
        if (!sandbox) throw refuse('podSandboxStatus', 'NOT_FOUND', `sandbox "${podSandboxId}" not found`);
        return {
          status: { ...toPodSandbox(sandbox), network: { ip: sandbox.ip, additionalIps: [] }, linux: undefined },
          info: {},
          containersStatuses: [],
          timestamp: 0n,
        };
      }),
      listPodSandbox: this.#method('listPodSandbox', ({ filter }) => ({
        items: [...this.sandboxes.values()]
          .map(toPodSandbox)
          .filter(({ id, labels }) => (!filter?.id || filter.id === id) && selects(filter?.labelSelector, labels)),
      })),
    };
  }

  #containerCalls(): Partial<Cri> {
    const find = (method: Method, id = ''): FakeContainer => {
      const container = this.containers.get(id);
      if (!container)
        throw refuse(method, 'NOT_FOUND', `an error occurred when try to find container "${id}": not found`);
      return container;
    };
    return {
      createContainer: this.#method('createContainer', ({ podSandboxId = '', config = {} }) => {
        const { name, attempt } = config.metadata ?? {};
        if (!this.sandboxes.get(podSandboxId)?.isReady) {
          throw refuse('createContainer', 'UNKNOWN', `sandbox "${podSandboxId}" is not running`);
        }
        if (!this.#hasImage(config.image?.image ?? '')) {
          throw refuse('createContainer', 'NOT_FOUND', `failed to resolve image "${config.image?.image}"`);
        }
        const isTaken = this.#containersOf(podSandboxId).some(
          ({ config: { metadata } }) => metadata?.name === name && metadata?.attempt === attempt,
        );
        if (isTaken) throw refuse('createContainer', 'UNKNOWN', `name "${name}" with attempt ${attempt} is reserved`);
        const id = this.#id();
        const times = { createdAt: this.#now(), startedAt: 0, finishedAt: 0 };
        const { resources = {} } = config.linux ?? {};
        this.containers.set(id, {
          id,
          sandboxId: podSandboxId,
          config,
          ...times,
          state: 'created',
          exitCode: 0,
          resources,
        });
        return { containerId: id };
      }),
      startContainer: this.#method('startContainer', ({ containerId }) => {
        const container = find('startContainer', containerId);
        const { state, config } = container;
        if (state !== 'created') throw refuse('startContainer', 'UNKNOWN', `container is in state ${state}`);
        container.state = 'running';
        container.startedAt = this.#now();
        this.done.push(`startContainer ${config.metadata?.name}`);
        const ends = /^sh -c exit (\d+)$/.exec((config.command ?? []).join(' '));
        if (ends) this.#end(container, Number(ends[1]));
        return {};
      }),
      stopContainer: this.#method('stopContainer', async ({ containerId, timeout = 0n }, { signal }) => {
        const container = find('stopContainer', containerId);
        if (container.state !== 'running') return {};
        this.done.push(`stopContainer ${container.config.metadata?.name}`);
        if (timeout > 0n && !(this.#options.obeys?.(container) ?? true)) {
          await this.#options.clock.sleep('grace of a fake container', milliseconds(Number(timeout) * 1_000), signal);
          this.#end(container, 137);
        } else this.#end(container, timeout > 0n ? 0 : 137);
        return {};
      }),
      removeContainer: this.#method('removeContainer', ({ containerId = '' }) => {
        this.containers.delete(containerId);
        return {};
      }),
      containerStatus: this.#method('containerStatus', ({ containerId }) => ({
        status: toContainerStatus(find('containerStatus', containerId)),
        info: {},
      })),
      listContainers: this.#method('listContainers', ({ filter }) => ({
        containers: [...this.containers.values()]
          .map(toContainer)
          .filter(
            ({ id, labels, podSandboxId }) =>
              (!filter?.id || filter.id === id) &&
              (!filter?.podSandboxId || filter.podSandboxId === podSandboxId) &&
              selects(filter?.labelSelector, labels),
          ),
      })),
      listContainerStats: this.#method('listContainerStats', ({ filter }) => ({
        stats: [...this.containers.values()]
          .filter(({ state, config }) => state === 'running' && selects(filter?.labelSelector, config.labels ?? {}))
          .map((container) => toContainerStats(container, this.#now())),
      })),
      updateContainerResources: this.#method('updateContainerResources', ({ containerId, linux = {} }) => {
        const container = find('updateContainerResources', containerId);
        // What is not named, and zero, is left as it is.
        const named = Object.entries(linux).filter(([, value]) => value !== 0n && value !== '' && value !== undefined);
        container.resources = { ...container.resources, ...Object.fromEntries(named) };
        this.done.push(`updateContainerResources ${container.config.metadata?.name}`);
        return {};
      }),
      reopenContainerLog: this.#method('reopenContainerLog', ({ containerId }) => {
        this.done.push(`reopenContainerLog ${find('reopenContainerLog', containerId).config.metadata?.name}`);
        return {};
      }),
      execSync: this.#method('execSync', ({ containerId, cmd = [] }) => {
        const container = find('execSync', containerId);
        if (container.state !== 'running') throw refuse('execSync', 'UNKNOWN', 'container is not running');
        const { exitCode, stdout = '' } = this.#options.exec?.(container, cmd) ?? { exitCode: 0 };
        return { exitCode, stdout: new TextEncoder().encode(stdout), stderr: new Uint8Array(0) };
      }),
    };
  }

  #hasImage(reference: string): boolean {
    return this.images.has(reference) || [...this.images].some((image) => imageId(image) === reference);
  }

  #imageCalls(): Partial<Cri> {
    const describe = (image: string) => ({
      id: imageId(image),
      repoTags: [image],
      repoDigests: [],
      size: 1n,
      uid: undefined,
      username: '',
      spec: undefined,
      pinned: false,
    });
    return {
      listImages: this.#method('listImages', () => ({ images: [...this.images].map(describe) })),
      imageStatus: this.#method('imageStatus', ({ image }) => ({
        image: this.images.has(image?.image ?? '') ? describe(image?.image ?? '') : undefined,
        info: {},
      })),
      pullImage: this.#method('pullImage', async ({ image }, { signal }) => {
        const name = image?.image ?? '';
        this.done.push(`pullImage ${name}`);
        if (this.pullsHang)
          await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
        if (!this.registry.has(name)) throw refuse('pullImage', 'NOT_FOUND', `failed to pull "${name}": not found`);
        this.images.add(name);
        return { imageRef: imageId(name) };
      }),
      removeImage: this.#method('removeImage', ({ image }) => {
        const found = [...this.images].find((name) => name === image?.image || imageId(name) === image?.image);
        if (found !== undefined) {
          this.images.delete(found);
          this.done.push(`removeImage ${found}`);
        }
        return {};
      }),
      imageFsInfo: this.#method('imageFsInfo', () => ({
        imageFilesystems: [
          { timestamp: 0n, fsId: { mountpoint: '/images' }, usedBytes: { value: 0n }, inodesUsed: { value: 0n } },
        ],
        containerFilesystems: [],
      })),
    };
  }
}

/** Where a request may say what it is about. */
interface Mentions {
  readonly image?: { readonly image?: string };
  readonly config?: PodSandboxConfig;
  readonly sandboxConfig?: PodSandboxConfig;
  readonly filter?: { readonly labelSelector?: Record<string, string> };
  readonly containerId?: string;
  readonly podSandboxId?: string;
}

const containerStates = {
  created: ContainerState.CONTAINER_CREATED,
  running: ContainerState.CONTAINER_RUNNING,
  exited: ContainerState.CONTAINER_EXITED,
} as const;

const sandboxState = (isReady: boolean): PodSandboxState =>
  isReady ? PodSandboxState.SANDBOX_READY : PodSandboxState.SANDBOX_NOTREADY;

const refuse = (method: string, code: RpcCode, message: string): Error => rpcErrors.REFUSED({ method, code, message });
const imageId = (image: string): string =>
  `sha256:${[...image].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) >>> 0, 7)}`;
const nanoseconds = (ms: number): bigint => BigInt(ms) * 1_000_000n;

const selects = (selector: Record<string, string> | undefined, labels: Record<string, string>): boolean =>
  Object.entries(selector ?? {}).every(([name, value]) => labels[name] === value);

function toPodSandbox({ id, config, isReady, createdAt, runtimeHandler }: FakeSandbox): Whole<PodSandbox> {
  const { name = '', uid = '', namespace = '', attempt = 0 } = config.metadata ?? {};
  return {
    id,
    metadata: { name, uid, namespace, attempt },
    state: sandboxState(isReady),
    createdAt: nanoseconds(createdAt),
    labels: config.labels ?? {},
    annotations: config.annotations ?? {},
    runtimeHandler,
  };
}

function toContainer({ id, sandboxId, config, state, createdAt }: FakeContainer): Whole<Container> {
  const image = { image: config.image?.image ?? '', annotations: {}, userSpecifiedImage: '', runtimeHandler: '' };
  return {
    id,
    podSandboxId: sandboxId,
    metadata: { name: config.metadata?.name ?? '', attempt: config.metadata?.attempt ?? 0 },
    image,
    imageRef: image.image,
    state: containerStates[state],
    createdAt: nanoseconds(createdAt),
    labels: config.labels ?? {},
    annotations: config.annotations ?? {},
    imageId: image.image,
  };
}

/** A tenth of a core since it started, and 4 MiB. */
function toContainerStats(container: FakeContainer, now: number): Whole<ContainerStats> {
  const { id, metadata, labels, annotations } = toContainer(container);
  const timestamp = nanoseconds(now);
  const value = (count: bigint) => ({ value: count });
  return {
    attributes: { id, metadata, labels, annotations },
    cpu: {
      timestamp,
      usageCoreNanoSeconds: value(nanoseconds(now - container.startedAt) / 10n),
      usageNanoCores: value(100_000_000n),
    },
    memory: {
      timestamp,
      workingSetBytes: value(4n * 1_024n ** 2n),
      availableBytes: undefined,
      usageBytes: value(5n * 1_024n ** 2n),
      rssBytes: value(3n * 1_024n ** 2n),
      pageFaults: undefined,
      majorPageFaults: undefined,
    },
    writableLayer: {
      timestamp,
      fsId: { mountpoint: '/fake' },
      usedBytes: value(4_096n),
      inodesUsed: value(7n),
    },
    swap: undefined,
  };
}

function toContainerStatus(container: FakeContainer): Whole<ContainerStatus> {
  const { startedAt, finishedAt, exitCode, state, config } = container;
  const { podSandboxId: _sandbox, ...listed } = toContainer(container);
  return {
    ...listed,
    startedAt: nanoseconds(startedAt),
    finishedAt: nanoseconds(finishedAt),
    exitCode,
    reason: state === 'exited' ? (exitCode === 0 ? 'Completed' : 'Error') : '',
    message: '',
    mounts: [],
    logPath: config.logPath ?? '',
    resources: undefined,
    user: undefined,
  };
}
