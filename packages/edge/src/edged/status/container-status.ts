// The status of one container as users read it: what it does now, what it did before, and whether it is ready.
import { toTime } from '@kedge/core/time';
import type { Container, ContainerState, ContainerStateTerminated, ContainerStatus } from '@kedge/model/k8s-types';
import type { Waiting } from '../pod/pod-action.ts';
import type { SeenContainer, SeenPod } from '../runtime/seen.ts';

export interface ContainerFacts {
  readonly seen: SeenPod;
  readonly waiting: ReadonlyMap<string, Waiting>;
  /** Ids of running containers whose startup probe has passed, or which have none. */
  readonly started: ReadonlySet<string>;
  /** Ids of running containers that may receive traffic. */
  readonly ready: ReadonlySet<string>;
  /** What containers left as their last words, by id. */
  readonly lastWords: ReadonlyMap<string, string>;
  /** What container ids begin with, such as `containerd`. */
  readonly runtimeName: string;
}

export interface ContainerStatusInput extends ContainerFacts {
  readonly container: Container;
  readonly isInit: boolean;
  /** Why a container that was never made is not there. */
  readonly whileAbsent: string;
  /** As last reported. */
  readonly previous: ContainerStatus | undefined;
  /** The pod is over: what is not known to have ended, ended unseen. */
  readonly isOver: boolean;
  /** False: an init container before it has not succeeded, so that nothing of it can have run unseen. */
  readonly wasReached: boolean;
}

export function containerStatus(input: ContainerStatusInput): ContainerStatus {
  const { container, seen, previous } = input;
  const own = seen.containers.filter(({ name }) => name === container.name);
  const [latest, ...earlier] = own;
  if (!latest) return absentStatus(input);
  const last = earlier.find(({ state }) => state.at === 'exited');
  const lastState = last ? { terminated: terminated(last, input) } : lastStateOf(previous, latest, input);
  const base = {
    name: container.name,
    image: latest.image || (container.image ?? ''),
    imageID: latest.imageRef,
    containerID: containerId(latest, input),
    restartCount: latest.restartCount,
  };
  const { state } = latest;
  if (state.at === 'running') {
    const started = input.started.has(latest.id);
    const ready = started && !(input.isInit && container.restartPolicy !== 'Always') && input.ready.has(latest.id);
    return { ...base, ready, started, state: { running: { startedAt: toTime(state.startedAt) } }, lastState };
  }
  const held = input.waiting.get(container.name);
  if (state.at === 'exited') {
    const end = terminated(latest, input);
    if (held && !input.isOver) {
      return { ...base, ready: false, started: false, state: { waiting: { ...held } }, lastState: { terminated: end } };
    }
    const ready = input.isInit && container.restartPolicy !== 'Always' && end.exitCode === 0;
    return { ...base, ready, started: false, state: { terminated: end }, lastState };
  }
  if (input.isOver)
    return { ...base, ready: false, started: false, state: { terminated: unseenEnd(latest, input) }, lastState };
  const waiting = held ?? { reason: input.whileAbsent, message: '' };
  return { ...base, ready: false, started: false, state: { waiting: plain(waiting) }, lastState };
}

function absentStatus(input: ContainerStatusInput): ContainerStatus {
  const { container, waiting, previous, isOver, whileAbsent } = input;
  const base = {
    name: container.name,
    image: previous?.image ?? container.image ?? '',
    imageID: previous?.imageID ?? '',
    restartCount: previous?.restartCount ?? 0,
    ready: false,
    started: false,
  };
  const ended = previous?.state?.terminated;
  if (isOver) {
    // Removed after it ended: what was reported then still holds.
    if (ended) return { ...previous, ready: previous.ready, started: false };
    const id = previous?.containerID;
    if (!id && !input.wasReached) return { ...base, state: { waiting: { reason: whileAbsent } }, lastState: {} };
    const state = { terminated: { ...unseenEnd(undefined, input), ...(id ? { containerID: id } : {}) } };
    return { ...base, ...(id ? { containerID: id } : {}), state, lastState: previous?.lastState ?? {} };
  }
  const held = waiting.get(container.name) ?? { reason: whileAbsent, message: '' };
  const lastState = ended ? { terminated: ended } : (previous?.lastState ?? {});
  return { ...base, state: { waiting: plain(held) }, lastState };
}

/** A runtime that lost the container before this one does not make its end unsaid. */
function lastStateOf(
  previous: ContainerStatus | undefined,
  latest: SeenContainer,
  facts: ContainerFacts,
): ContainerState {
  if (!previous || previous.restartCount > latest.restartCount) return {};
  if (previous.containerID === containerId(latest, facts)) return previous.lastState ?? {};
  return previous.state?.terminated ? { terminated: previous.state.terminated } : (previous.lastState ?? {});
}

function terminated(container: SeenContainer, facts: ContainerFacts): ContainerStateTerminated {
  const { state } = container;
  if (state.at !== 'exited') return unseenEnd(container, facts);
  const message = facts.lastWords.get(container.id) || state.message;
  return {
    exitCode: state.exitCode,
    reason: state.reason || (state.exitCode === 0 ? 'Completed' : 'Error'),
    ...(message ? { message } : {}),
    // A container that never ran has no start; the API wants a time all the same.
    startedAt: toTime(state.startedAt > 0 ? state.startedAt : container.createdAt),
    finishedAt: toTime(state.finishedAt),
    containerID: containerId(container, facts),
  };
}

const unseenEnd = (container: SeenContainer | undefined, facts: ContainerFacts): ContainerStateTerminated => ({
  exitCode: 137,
  reason: 'ContainerStatusUnknown',
  message: 'The container could not be located when the pod was terminated',
  ...(container ? { containerID: containerId(container, facts) } : {}),
});

const containerId = ({ id }: SeenContainer, { runtimeName }: ContainerFacts): string => `${runtimeName}://${id}`;
const plain = ({ reason, message }: Waiting): Waiting | { reason: string } =>
  message ? { reason, message } : { reason };
