// Decides what to do about one pod, from what it should be and what the runtime has of it. Pure: the same values give
// the same plan, so every rule of the kubelet that we follow is a line in a table of plan-pod.test.ts.
import { between, type Duration, type Instant, parseTime } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import { isRunning, latestContainer, type SeenPod } from '../runtime/seen.ts';
import { planContainers } from './plan-containers.ts';
import { gracePeriodOf, initContainersOf, isSidecar, isTerminating, restartPolicyOf, specOf } from './pod-spec.ts';
import { type PlanInput, type PodAction, type PodPlan, stopContainer } from './pod-action.ts';

export function planPod(input: PlanInput): PodPlan {
  const { pod, seen } = input;
  if (isTerminating(pod)) {
    const due = parseTime(pod.metadata.deletionTimestamp);
    const isLate = due !== undefined && input.now >= due;
    // A node that has no time left for it does not wait for what the deletion grants.
    const grace = gracePeriodOf(pod);
    return planEnd(seen, sidecarNames(pod), input.endGrace === undefined ? grace : shorter(grace, input.endGrace), {
      isLate,
    });
  }
  if (input.mustEnd) return planEnd(seen, sidecarNames(pod), input.endGrace ?? gracePeriodOf(pod));
  const sandbox = seen.sandboxes[0];
  const usable = sandbox?.isReady ? sandbox : undefined;
  if (!usable && isOverWithoutSandbox(input)) return planEnd(seen, sidecarNames(pod), gracePeriodOf(pod));

  const wanted = planContainers(input, usable?.id);
  if (wanted.isOver) return planEnd(seen, sidecarNames(pod), gracePeriodOf(pod));
  const tidy = [...tidySandboxes(seen), ...tidyContainers(seen)];
  const rest = { waiting: wanted.waiting, lookAgainAt: wanted.lookAgainAt, isOver: false };
  if (usable) return { ...rest, actions: [...wanted.actions, ...tidy] };

  // The sandbox is gone, and with it the network: whatever still runs in it has to end first.
  const running = seen.containers.filter(isRunning);
  if (running.length > 0) {
    const why = 'the pod sandbox has changed';
    return { ...rest, actions: running.map((container) => stopContainer(container, gracePeriodOf(pod), why)) };
  }
  // Nothing to start yet: a sandbox would only stand empty while its containers wait out their back-off.
  if (!wanted.actions.some((action) => action.do === 'start-container')) return { ...rest, actions: tidy };
  return {
    ...rest,
    actions: [
      ...(sandbox ? [{ do: 'stop-sandbox', id: sandbox.id } as const] : []),
      { do: 'make-sandbox', attempt: sandbox ? sandbox.attempt + 1 : 0 },
      ...wanted.actions,
      ...tidy,
    ],
  };
}

/**
 * Containers first, then sidecars one by one, the one that started last first, the sandbox last; then it is over. `isLate`:
 * the time that the pod was given has passed, and sidecars end together.
 */
export function planEnd(
  seen: SeenPod,
  sidecars: ReadonlySet<string>,
  grace: Duration,
  { why = '', isLate = false }: { why?: string; isLate?: boolean } = {},
): PodPlan {
  const running = seen.containers.filter(isRunning);
  const mains = running.filter(({ name }) => !sidecars.has(name));
  const [last] = [...sidecars].reverse().filter((name) => running.some((container) => container.name === name));
  const next = isLate ? running : running.filter(({ name }) => name === last);
  const first = mains.length > 0 ? mains : next;
  const stops = first.map((container) => stopContainer(container, grace, why));
  const sandboxes = seen.sandboxes
    .filter(({ isReady }) => isReady)
    .map(({ id }) => ({ do: 'stop-sandbox', id }) as const);
  const actions = stops.length > 0 ? stops : sandboxes;
  return { actions, waiting: new Map(), lookAgainAt: undefined, isOver: actions.length === 0 };
}

/** In the order in which they start. */
export const sidecarNames = (pod: Pod): ReadonlySet<string> =>
  new Set(
    initContainersOf(pod)
      .filter(isSidecar)
      .map(({ name }) => name),
  );

/** Without a sandbox, a pod is over when every container ended for good before the sandbox went. */
function isOverWithoutSandbox({ pod, seen }: PlanInput): boolean {
  const policy = restartPolicyOf(pod);
  if (seen.sandboxes.length === 0 || policy === 'Always') return false;
  const last = specOf(pod).containers.map(({ name }) => latestContainer(seen, name)?.state);
  if (policy === 'Never') return last.some((state) => state !== undefined && state.at !== 'created');
  return last.every((state) => state?.at === 'exited' && state.exitCode === 0);
}

/** Earlier sandboxes: stopped if need be, removed once no container of theirs is worth showing. */
function tidySandboxes(seen: SeenPod): PodAction[] {
  return seen.sandboxes.slice(1).flatMap(({ id, isReady }): PodAction[] => {
    if (isReady) return [{ do: 'stop-sandbox', id }];
    return seen.containers.some(({ sandboxId }) => sandboxId === id) ? [] : [{ do: 'remove-sandbox', id }];
  });
}

/** Keeps of each name the newest container and the one that ended before it. */
function tidyContainers(seen: SeenPod): PodAction[] {
  const kept = new Map<string, number>();
  return seen.containers.flatMap((container): PodAction[] => {
    const before = kept.get(container.name) ?? 0;
    kept.set(container.name, before + 1);
    if (before < 2 || isRunning(container)) return [];
    return [{ do: 'remove-container', id: container.id, name: container.name }];
  });
}

const shorter = (a: Duration, b: Duration): Duration => (a < b ? a : b);

/** How long from now until `at`; never negative. */
export const untilThen = (at: Instant, now: Instant): Duration => Math.max(0, between(now, at)) as Duration;
