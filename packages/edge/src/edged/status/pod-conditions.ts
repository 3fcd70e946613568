// The conditions of a pod: has a network, is initialized, its containers are ready, it is ready, it is scheduled.
import { type Instant, toTime } from '@kedge/core/time';
import type { ContainerStatus, Pod, PodCondition } from '@kedge/model/k8s-types';
import { initContainersOf, isSidecar, specOf } from '../pod/pod-spec.ts';
import type { Phase } from './phase.ts';

export interface ConditionsInput {
  readonly pod: Pod;
  readonly phase: Phase;
  readonly hasNetwork: boolean;
  readonly initStatuses: readonly ContainerStatus[];
  readonly statuses: readonly ContainerStatus[];
  /** As last reported: a condition that has not changed keeps its time. */
  readonly previous: readonly PodCondition[];
  /** As the API has them: those of others are left as they are. */
  readonly known: readonly PodCondition[];
  /** Why the node ended a pod that ran well. */
  readonly disruption?: string | undefined;
  readonly now: Instant;
}

type Judgement = Pick<PodCondition, 'status' | 'reason' | 'message'>;

const isTrue: Judgement = { status: 'True' };

export function podConditions(input: ConditionsInput): PodCondition[] {
  const { previous, known, now } = input;
  const containersReady = judgeContainers(input);
  const judged: [string, Judgement][] = [
    ['PodReadyToStartContainers', { status: input.hasNetwork ? 'True' : 'False' }],
    ['Initialized', judgeInitialized(input)],
    ['Ready', containersReady.status === 'True' ? judgeGates(input) : containersReady],
    ['ContainersReady', containersReady],
    ['PodScheduled', isTrue],
  ];
  if (input.disruption !== undefined) {
    judged.push(['DisruptionTarget', { status: 'True', reason: 'TerminationByKubelet', message: input.disruption }]);
  }
  const own = new Set(judged.map(([type]) => type));
  return [
    ...judged.map(([type, judgement]) => withTime(type, judgement, previous, now)),
    ...known.filter(({ type }) => !own.has(type)),
  ];
}

function withTime(
  type: string,
  { status, reason, message }: Judgement,
  previous: readonly PodCondition[],
  now: Instant,
): PodCondition {
  const before = previous.find((condition) => condition.type === type);
  const lastTransitionTime = before?.status === status ? before.lastTransitionTime : undefined;
  return {
    type,
    status,
    ...(reason ? { reason } : {}),
    ...(message ? { message } : {}),
    lastTransitionTime: lastTransitionTime ?? toTime(now),
  };
}

function judgeInitialized({ pod, phase, initStatuses }: ConditionsInput): Judgement {
  if (phase === 'Succeeded') return { status: 'True', reason: 'PodCompleted' };
  const incomplete = initContainersOf(pod).filter((container) => {
    const status = initStatuses.find(({ name }) => name === container.name);
    if (isSidecar(container)) return status?.started !== true && status?.lastState?.terminated === undefined;
    const end = status?.state?.terminated;
    return end === undefined || end.exitCode !== 0;
  });
  // Once main containers have been made, initialization is over, whatever became of its traces.
  const mainsMade = specOf(pod).containers.length > 0 && phase === 'Running';
  if (incomplete.length === 0 || mainsMade) return isTrue;
  return {
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: `containers with incomplete status: ${nameList(incomplete)}`,
  };
}

function judgeContainers({ pod, phase, statuses, initStatuses }: ConditionsInput): Judgement {
  if (phase === 'Succeeded') return { status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { status: 'False', reason: 'PodFailed' };
  const wanted = [...initContainersOf(pod).filter(isSidecar), ...specOf(pod).containers];
  const unready = wanted.filter(({ name }) => {
    const status = statuses.find((one) => one.name === name) ?? initStatuses.find((one) => one.name === name);
    return status?.ready !== true;
  });
  if (unready.length === 0) return isTrue;
  return {
    status: 'False',
    reason: 'ContainersNotReady',
    message: `containers with unready status: ${nameList(unready)}`,
  };
}

function judgeGates({ pod, known }: ConditionsInput): Judgement {
  const closed = (specOf(pod).readinessGates ?? []).filter(
    ({ conditionType }) => known.find(({ type }) => type === conditionType)?.status !== 'True',
  );
  if (closed.length === 0) return isTrue;
  const message = closed.map(
    ({ conditionType }) => `corresponding condition of pod readiness gate "${conditionType}" is not True.`,
  );
  return { status: 'False', reason: 'ReadinessGatesNotReady', message: message.join(' ') };
}

const nameList = (containers: readonly { readonly name: string }[]): string =>
  `[${containers.map(({ name }) => name).join(' ')}]`;
