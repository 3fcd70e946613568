// How pods are printed: the one word that sums up what is going on in a pod takes most of the work.
import { age, type Cell } from '@kedge/engine/kube-api';
import { type Instant, parseTime } from '@kedge/core/time';
import type { ContainerStatus, Pod } from '@kedge/model/k8s-types';
import { ageColumn, type Column, nameColumn, none, text } from './cells.ts';

export const podColumns: Column<Pod>[] = [
  nameColumn as unknown as Column<Pod>,
  text('Ready', (pod) => {
    const { ready, total } = readiness(pod);
    return `${ready}/${total}`;
  }),
  text('Status', (pod) => podReason(pod)),
  text('Restarts', restarts),
  ageColumn as unknown as Column<Pod>,
  text('IP', ({ status }) => status?.podIPs?.[0]?.ip || status?.podIP || none, 1),
  text('Node', ({ spec }) => spec?.nodeName || none, 1),
  text('Nominated Node', ({ status }) => status?.nominatedNodeName || none, 1),
  text('Readiness Gates', readinessGates, 1),
];

const isSidecar = (pod: Pod, name: string): boolean =>
  pod.spec?.initContainers?.find((container) => container.name === name)?.restartPolicy === 'Always';

function readiness(pod: Pod): { ready: number; total: number } {
  const statuses = pod.status?.containerStatuses ?? [];
  const sidecars = (pod.status?.initContainerStatuses ?? []).filter(({ name }) => isSidecar(pod, name));
  const total =
    (pod.spec?.containers?.length ?? 0) +
    (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').length;
  const isReady = ({ ready, state }: ContainerStatus): boolean => ready && state?.running !== undefined;
  return {
    ready: statuses.filter(isReady).length + sidecars.filter(({ ready, started }) => ready && started).length,
    total,
  };
}

/** The STATUS column: phase, or why the pod is not simply that. */
export function podReason(pod: Pod): string {
  const { metadata, spec, status } = pod;
  if (metadata?.deletionTimestamp) return status?.reason === 'NodeLost' ? 'Unknown' : 'Terminating';
  let reason = status?.reason || status?.phase || 'Unknown';
  const gated = status?.conditions?.find(
    ({ type, reason: why }) => type === 'PodScheduled' && why === 'SchedulingGated',
  );
  if (gated) reason = 'SchedulingGated';

  const initial = initReason(pod);
  if (initial !== undefined) return initial;

  let isRunning = false;
  for (const container of [...(status?.containerStatuses ?? [])].reverse()) {
    const { waiting, terminated, running } = container.state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated) reason = ended(terminated);
    else if (container.ready && running) isRunning = true;
  }
  // A pod with one finished and one running container runs.
  if (reason === 'Completed' && isRunning) {
    const isReady = status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True');
    reason = isReady ? 'Running' : 'NotReady';
  }
  return spec ? reason : 'Unknown';
}

const ended = ({ reason, signal, exitCode }: { reason?: string; signal?: number; exitCode: number }): string =>
  reason || (signal ? `Signal:${signal}` : `ExitCode:${exitCode}`);

/** While init containers run: `Init:1/2`, `Init:Error`; undefined once they are through. */
function initReason(pod: Pod): string | undefined {
  const total = pod.spec?.initContainers?.length ?? 0;
  for (const [at, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (isSidecar(pod, container.name) && container.started) continue;
    if (terminated) return `Init:${ended(terminated)}`;
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${at}/${total}`;
  }
  return undefined;
}

function restarts(pod: Pod, now: Instant): Cell {
  const all = [
    ...(pod.status?.containerStatuses ?? []),
    ...(pod.status?.initContainerStatuses ?? []).filter(({ name }) => isSidecar(pod, name)),
  ];
  const total = all.reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0);
  const last = all
    .map(({ lastState }) => lastState?.terminated?.finishedAt)
    .filter((time) => parseTime(time) !== undefined)
    .sort()
    .at(-1);
  return total > 0 && last ? `${total} (${age(last, now)} ago)` : String(total);
}

function readinessGates({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return none;
  const open = gates.filter(({ conditionType }) =>
    status?.conditions?.some(({ type, status: is }) => type === conditionType && is === 'True'),
  );
  return `${open.length}/${gates.length}`;
}
