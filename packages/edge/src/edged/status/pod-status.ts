// The status of a pod, computed from what it should be and what is seen of it. Pure, and the same input gives the same
// value: whoever reports compares it with what was reported before.
import { type Instant, toTime } from '@kedge/core/time';
import type { Container, ContainerStatus, Pod, PodStatus, ResourceRequirements } from '@kedge/model/k8s-types';
import { ephemeralContainersOf, initContainersOf, isSidecar, qosClassOf, specOf } from '../pod/pod-spec.ts';
import { type ContainerFacts, containerStatus } from './container-status.ts';
import { type Phase, podPhase } from './phase.ts';
import { podConditions } from './pod-conditions.ts';

export interface PodStatusInput extends ContainerFacts {
  readonly pod: Pod;
  readonly now: Instant;
  /** As last reported; what the API has, after a restart. */
  readonly previous: PodStatus | undefined;
  readonly hostIps: readonly string[];
  readonly isOver: boolean;
  /** Where a change of its resources stands. */
  readonly resize?: string | undefined;
  /** The resources that its containers have, where they were changed. */
  readonly allocated?: ReadonlyMap<string, ResourceRequirements> | undefined;
  /** Why the pod failed as a whole. */
  readonly failure: { readonly reason: string; readonly message: string; readonly disrupted?: object } | undefined;
}

export function podStatus(input: PodStatusInput): PodStatus {
  const { pod, previous, seen, failure, now } = input;
  const hasInit = initContainersOf(pod).length > 0;
  const reported = new Map(
    [
      ...(previous?.initContainerStatuses ?? []),
      ...(previous?.containerStatuses ?? []),
      ...(previous?.ephemeralContainerStatuses ?? []),
    ].map((one) => [one.name, one]),
  );
  let wasReached = true;
  const statusOf = (container: Container, isInit: boolean): ContainerStatus =>
    withResources(
      container.name,
      containerStatus({
        ...input,
        container,
        isInit,
        wasReached,
        whileAbsent: hasInit ? 'PodInitializing' : 'ContainerCreating',
        previous: reported.get(container.name),
      }),
    );
  function withResources(name: string, status: ContainerStatus): ContainerStatus {
    const resources = input.allocated?.get(name);
    if (!resources) return status;
    return { ...status, resources, allocatedResources: { ...resources.limits, ...resources.requests } };
  }
  const initStatuses = initContainersOf(pod).map((container) => {
    const status = statusOf(container, true);
    wasReached &&= isSidecar(container) || status.state?.terminated?.exitCode === 0;
    return status;
  });
  const statuses = specOf(pod).containers.map((container) => statusOf(container, false));
  const ephemeralStatuses = ephemeralContainersOf(pod).map((container) => statusOf(container, false));

  const settled = podPhase({ pod, initStatuses, statuses, isOver: input.isOver });
  const isOpen = [...initStatuses, ...statuses, ...ephemeralStatuses].some(mayGoOn);
  const phase = failure ? 'Failed' : keepEnd(previous, isOpen ? notYetOver(settled) : settled);
  const sandbox = seen.sandboxes[0];
  const addresses = specOf(pod).hostNetwork ? input.hostIps.slice(0, 1) : (sandbox?.addresses ?? []);
  const hasNetwork = sandbox?.isReady === true && addresses.length > 0;
  const podIps = hasNetwork ? addresses : (previous?.podIPs ?? []).map(({ ip }) => ip);
  const [hostIp] = input.hostIps;
  return {
    phase,
    ...(failure ? { reason: failure.reason, message: failure.message } : kept(previous, phase)),
    conditions: podConditions({
      pod,
      phase,
      hasNetwork,
      initStatuses,
      statuses,
      previous: previous?.conditions ?? [],
      known: pod.status?.conditions ?? [],
      disruption: failure?.disrupted ? failure.message : undefined,
      now,
    }),
    ...(hostIp ? { hostIP: hostIp, hostIPs: input.hostIps.map((ip) => ({ ip })) } : {}),
    ...(podIps[0] ? { podIP: podIps[0], podIPs: podIps.map((ip) => ({ ip })) } : {}),
    startTime: previous?.startTime ?? pod.status?.startTime ?? toTime(now),
    // A pod that was refused, now or in a life before this one, had no containers to tell about.
    ...((failure ?? previous?.phase === 'Failed') && reported.size === 0 && seen.containers.length === 0
      ? {}
      : { ...(hasInit ? { initContainerStatuses: initStatuses } : {}), containerStatuses: statuses }),
    ...(ephemeralStatuses.length > 0 ? { ephemeralContainerStatuses: ephemeralStatuses } : {}),
    qosClass: qosClassOf(pod),
    ...(input.resize ? { resize: input.resize } : {}),
  };
}

/** Whoever waits for the end of a pod may take what it used: sidecars that still run hold its phase back. */
const notYetOver = (phase: Phase): Phase => (phase === 'Succeeded' || phase === 'Failed' ? 'Running' : phase);

/** It runs, or has just ended and it is not settled what follows. */
const mayGoOn = ({ state, lastState }: ContainerStatus): boolean =>
  state?.running !== undefined || (state?.waiting !== undefined && lastState?.terminated !== undefined);

/** A pod that has ended does not come back. */
function keepEnd(previous: PodStatus | undefined, phase: Phase): Phase {
  return previous?.phase === 'Succeeded' || previous?.phase === 'Failed' ? previous.phase : phase;
}

function kept(previous: PodStatus | undefined, phase: Phase): Pick<PodStatus, 'reason' | 'message'> {
  if (phase !== 'Failed' || !previous) return {};
  const { reason, message } = previous;
  return { ...(reason ? { reason } : {}), ...(message ? { message } : {}) };
}
