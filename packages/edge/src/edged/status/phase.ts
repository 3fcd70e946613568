// The phase of a pod: one word for the states of all its containers.
import type { ContainerStatus, Pod } from '@kedge/model/k8s-types';
import { initContainersOf, isSidecar, restartPolicyOf, specOf } from '../pod/pod-spec.ts';

export type Phase = 'Pending' | 'Running' | 'Succeeded' | 'Failed';

export interface PhaseInput {
  readonly pod: Pod;
  readonly initStatuses: readonly ContainerStatus[];
  readonly statuses: readonly ContainerStatus[];
  /** No container runs or will run again. */
  readonly isOver: boolean;
}

export function podPhase({ pod, initStatuses, statuses, isOver }: PhaseInput): Phase {
  const policy = restartPolicyOf(pod);
  const init = countInit(pod, initStatuses);
  if (init.failed > 0 && policy === 'Never') return 'Failed';
  const main = countMain(pod, statuses);
  if (!isOver && (init.pending > 0 || init.failed > 0) && main.running === 0) return 'Pending';
  if (!isOver && main.waiting > 0) return 'Pending';
  if (main.running > 0) return 'Running';
  if (main.stopped > 0 || isOver) {
    if (isOver) return main.stopped > 0 && main.stopped === main.succeeded ? 'Succeeded' : 'Failed';
    if (policy === 'Always') return 'Running';
    if (main.stopped === main.succeeded) return 'Succeeded';
    return policy === 'Never' ? 'Failed' : 'Running';
  }
  return 'Pending';
}

function countInit(pod: Pod, statuses: readonly ContainerStatus[]): { pending: number; failed: number } {
  let pending = 0;
  let failed = 0;
  for (const container of initContainersOf(pod)) {
    const status = statuses.find(({ name }) => name === container.name);
    const end = status?.state?.terminated ?? (status?.state?.waiting ? status.lastState?.terminated : undefined);
    if (isSidecar(container)) {
      if (status?.state?.running ? !status.started : end === undefined) pending += 1;
    } else if (end) failed += end.exitCode === 0 ? 0 : 1;
    else pending += 1;
  }
  return { pending, failed };
}

function countMain(
  pod: Pod,
  statuses: readonly ContainerStatus[],
): { running: number; waiting: number; stopped: number; succeeded: number } {
  const count = { running: 0, waiting: 0, stopped: 0, succeeded: 0 };
  for (const { name } of specOf(pod).containers) {
    const status = statuses.find((one) => one.name === name);
    if (status?.state?.running) count.running += 1;
    else if (status?.state?.terminated) {
      count.stopped += 1;
      if (status.state.terminated.exitCode === 0) count.succeeded += 1;
    } else if (status?.lastState?.terminated) count.stopped += 1;
    else count.waiting += 1;
  }
  return count;
}
