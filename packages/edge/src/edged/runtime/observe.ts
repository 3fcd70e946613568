// Reads what the container runtime has of our pods. What cannot change any more is asked for once: the end of a
// container, the addresses of a sandbox.
import { instant, type Instant } from '@kedge/core/time';
import {
  ContainerState,
  type Container,
  type ContainerStatus,
  type Cri,
  PodSandboxState,
  type PodSandbox,
  type Whole,
} from '@kedge/wire/cri';
import { rpcCodeOf } from '@kedge/wire/rpc';
import { annotations, labels, parseBackoff, parseResources } from './labels.ts';
import type { SeenContainer, SeenPod, SeenSandbox, SeenState } from './seen.ts';

export interface Observer {
  observe(uid: string, signal: AbortSignal): Promise<SeenPod>;
  /** The addresses of a sandbox that was made just now. */
  sandbox(id: string, attempt: number, signal: AbortSignal): Promise<SeenSandbox>;
  /** Which pod each of our sandboxes and containers belongs to. */
  owners(signal: AbortSignal): Promise<ReadonlyMap<string, string>>;
  /** How the runtime calls itself, such as `containerd` or `cri-o`: container ids in statuses begin with it. */
  runtimeName(signal: AbortSignal): Promise<string>;
  /** Drops what is remembered of a container or sandbox that was removed. */
  forget(id: string): void;
}

export function createObserver({ cri, site }: { cri: Cri; site: string }): Observer {
  const known = new Map<string, SeenContainer>();
  const addresses = new Map<string, readonly string[]>();
  let name: string | undefined;

  async function seeContainer(listed: Whole<Container>, signal: AbortSignal): Promise<SeenContainer | undefined> {
    const before = known.get(listed.id);
    if (before && isSame(before.state, listed.state)) return before;
    const status = await orGone(cri.containerStatus({ containerId: listed.id }, { signal }));
    if (!status?.status) return undefined;
    const seen = toSeenContainer(listed, status.status);
    known.set(listed.id, seen);
    return seen;
  }

  async function readAddresses(podSandboxId: string, signal: AbortSignal): Promise<void> {
    const answer = await orGone(cri.podSandboxStatus({ podSandboxId }, { signal }));
    const network = answer?.status?.network;
    const all = network ? [network.ip, ...network.additionalIps.map(({ ip }) => ip)] : [];
    addresses.set(
      podSandboxId,
      all.filter((ip) => ip !== ''),
    );
  }

  async function seeSandbox(listed: Whole<PodSandbox>, signal: AbortSignal): Promise<SeenSandbox> {
    const isReady = listed.state === PodSandboxState.SANDBOX_READY;
    if (isReady && !addresses.has(listed.id)) await readAddresses(listed.id, signal);
    return {
      id: listed.id,
      attempt: listed.metadata?.attempt ?? 0,
      isReady,
      createdAt: fromNanoseconds(listed.createdAt),
      addresses: addresses.get(listed.id) ?? [],
    };
  }

  return {
    async observe(uid, signal) {
      const labelSelector = { [labels.site]: site, [labels.podUid]: uid };
      const [sandboxes, containers] = await Promise.all([
        cri.listPodSandbox({ filter: { labelSelector } }, { signal }),
        cri.listContainers({ filter: { labelSelector } }, { signal }),
      ]);
      const [seenSandboxes, seenContainers] = await Promise.all([
        Promise.all(sandboxes.items.map((item) => seeSandbox(item, signal))),
        Promise.all(containers.containers.map((item) => seeContainer(item, signal))),
      ]);
      return {
        sandboxes: seenSandboxes.sort((a, b) => b.attempt - a.attempt || b.createdAt - a.createdAt),
        containers: seenContainers
          .filter((container) => container !== undefined)
          .sort((a, b) => b.restartCount - a.restartCount || b.createdAt - a.createdAt),
      };
    },
    async sandbox(id, attempt, signal) {
      await readAddresses(id, signal);
      return { id, attempt, isReady: true, createdAt: instant(0), addresses: addresses.get(id) ?? [] };
    },
    async owners(signal) {
      const filter = { labelSelector: { [labels.site]: site } };
      const [sandboxes, containers] = await Promise.all([
        cri.listPodSandbox({ filter }, { signal }),
        cri.listContainers({ filter }, { signal }),
      ]);
      const all = [...sandboxes.items, ...containers.containers];
      return new Map(all.map((item) => [item.id, item.labels[labels.podUid] ?? '']));
    },
    async runtimeName(signal) {
      name ??= (await cri.version({ version: 'v1' }, { signal })).runtimeName;
      return name;
    },
    forget(id) {
      known.delete(id);
      addresses.delete(id);
    },
  };
}

/** True while what was read of a container's state still holds: it has not moved on. */
function isSame(state: SeenState, listed: ContainerState): boolean {
  if (listed === ContainerState.CONTAINER_RUNNING) return state.at === 'running';
  return listed === ContainerState.CONTAINER_EXITED && state.at === 'exited';
}

/** What was listed a moment ago may be removed before it is looked at. */
async function orGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (rpcCodeOf(error) === 'NOT_FOUND') return undefined;
    throw error;
  }
}

function toSeenContainer(listed: Whole<Container>, status: Whole<ContainerStatus>): SeenContainer {
  return {
    id: listed.id,
    name: listed.labels[labels.containerName] ?? listed.metadata?.name ?? '',
    sandboxId: listed.podSandboxId,
    restartCount: Number(listed.annotations[annotations.restartCount] ?? listed.metadata?.attempt ?? 0),
    hash: listed.annotations[annotations.hash] ?? '',
    createdAt: fromNanoseconds(listed.createdAt),
    image: status.image?.userSpecifiedImage || status.image?.image || '',
    imageRef: status.imageRef,
    state: toSeenState(status),
    backoff: parseBackoff(listed.annotations[annotations.backoff]),
    resources: parseResources(listed.annotations[annotations.resources]),
    gracePeriodSeconds: Number(listed.annotations[annotations.gracePeriod] ?? 30),
  };
}

function toSeenState(status: Whole<ContainerStatus>): SeenState {
  const startedAt = fromNanoseconds(status.startedAt);
  switch (status.state) {
    case ContainerState.CONTAINER_CREATED:
      return { at: 'created' };
    case ContainerState.CONTAINER_RUNNING:
      return { at: 'running', startedAt };
    case ContainerState.CONTAINER_EXITED: {
      const finishedAt = fromNanoseconds(status.finishedAt);
      const { exitCode, reason, message } = status;
      // A container that ends at once may have its start noted after its end.
      return {
        at: 'exited',
        startedAt: instant(Math.min(startedAt, finishedAt)),
        finishedAt,
        exitCode,
        reason,
        message,
      };
    }
    default:
      return { at: 'unknown' };
  }
}

const fromNanoseconds = (nanoseconds: bigint): Instant => instant(Number(nanoseconds / 1_000_000n));
