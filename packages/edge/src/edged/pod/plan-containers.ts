// The part of planning that is about containers: init containers one after the other, then all others together, each by
// the pod's restart policy.
import { formatDuration, type Instant } from '@kedge/core/time';
import type { Container } from '@kedge/model/k8s-types';
import { containerHash } from '../runtime/labels.ts';
import { latestContainer, type SeenContainer } from '../runtime/seen.ts';
import { type PlanInput, type PodAction, stopContainer, type Waiting } from './pod-action.ts';
import {
  describePod,
  ephemeralContainersOf,
  gracePeriodOf,
  initContainersOf,
  isSidecar,
  restartPolicyOf,
  specOf,
} from './pod-spec.ts';
import { decideRestart } from './restart-backoff.ts';

export interface ContainersPlan {
  readonly actions: readonly PodAction[];
  readonly waiting: ReadonlyMap<string, Waiting>;
  readonly lookAgainAt: Instant | undefined;
  /** No container is to be started any more, save that sidecars may still run. */
  readonly isOver: boolean;
}

/** What one container needs: to be left alone, to be waited for, or to be done with for good. */
type Verdict = 'runs' | 'starts' | 'waits' | 'succeeded' | 'failed';

export function planContainers(input: PlanInput, sandboxId: string | undefined): ContainersPlan {
  const { pod, seen } = input;
  const plan = new Planning(input, sandboxId);
  const initContainers = initContainersOf(pod);
  // Once a main container has been made in this sandbox, initialization is over, even if its traces were removed.
  const mains = new Set(specOf(pod).containers.map(({ name }) => name));
  const isInitialized =
    sandboxId !== undefined && seen.containers.some((c) => c.sandboxId === sandboxId && mains.has(c.name));

  for (const container of initContainers) {
    if (isSidecar(container)) {
      const verdict = plan.keepRunning(container, 'Always');
      if (!isInitialized && verdict !== 'runs') return plan.result(false);
      continue;
    }
    if (isInitialized) continue;
    const verdict = plan.runOnce(container);
    if (verdict === 'failed') return plan.result(true);
    if (verdict !== 'succeeded') return plan.result(false);
  }
  const verdicts = specOf(pod).containers.map((container) => plan.keepRunning(container, restartPolicyOf(pod)));
  // They look into what runs: in a sandbox that is yet to be made there is nothing to see.
  if (sandboxId !== undefined) for (const container of ephemeralContainersOf(pod)) plan.startOnce(container);
  return plan.result(verdicts.every((verdict) => verdict === 'succeeded' || verdict === 'failed'));
}

class Planning {
  readonly #input: PlanInput;
  readonly #sandboxId: string | undefined;
  readonly #actions: PodAction[] = [];
  readonly #waiting = new Map<string, Waiting>();
  #lookAgainAt: Instant | undefined;

  constructor(input: PlanInput, sandboxId: string | undefined) {
    this.#input = input;
    this.#sandboxId = sandboxId;
  }

  result(isOver: boolean): ContainersPlan {
    return { actions: this.#actions, waiting: this.#waiting, lookAgainAt: this.#lookAgainAt, isOver };
  }

  /** An init container: it has to succeed once in this sandbox. */
  runOnce(container: Container): Verdict {
    const last = latestContainer(this.#input.seen, container.name);
    // A new sandbox means a new beginning: what ended in an earlier one does not count, nor does its back-off.
    if (!last || last.sandboxId !== this.#sandboxId) return this.#start(container, last);
    const { state } = last;
    if (state.at === 'created') return this.#remake(container, last);
    if (state.at === 'unknown') return this.#stop(last, 'its state is unknown');
    if (state.at === 'running') return 'waits';
    if (state.exitCode === 0) return 'succeeded';
    return restartPolicyOf(this.#input.pod) === 'Never' ? 'failed' : this.#restart(container, last, state.finishedAt);
  }

  /** An ephemeral container: whatever became of it, it is not started again. */
  startOnce(container: Container): void {
    const { seen, pod } = this.#input;
    const last = latestContainer(seen, container.name);
    if (last?.state.at === 'created') return void this.#remake(container, last);
    const reported = pod.status?.ephemeralContainerStatuses?.find(({ name }) => name === container.name);
    if (!last && !reported?.containerID) this.#start(container, undefined);
  }

  /** A main container or a sidecar. */
  keepRunning(container: Container, policy: string): Verdict {
    const { seen, starting, unhealthy } = this.#input;
    const last = latestContainer(seen, container.name);
    if (!last) return this.#start(container, undefined);
    const { state } = last;
    const isCurrent = last.hash === containerHash(container);
    if (state.at === 'created') return this.#remake(container, last);
    if (state.at === 'exited') {
      if (!isCurrent) return this.#start(container, last);
      if (policy === 'Never' || (policy === 'OnFailure' && state.exitCode === 0)) {
        return state.exitCode === 0 ? 'succeeded' : 'failed';
      }
      return this.#restart(container, last, state.finishedAt);
    }
    if (state.at === 'unknown') return this.#stop(last, 'its state is unknown');
    if (!isCurrent) return this.#stop(last, `Container ${container.name} definition changed, will be restarted`);
    const problem = unhealthy.get(last.id);
    if (problem) {
      this.#actions.push(stopContainer(last, problem.grace ?? gracePeriodOf(this.#input.pod), problem.why));
      return 'waits';
    }
    return starting.has(last.id) ? 'waits' : 'runs';
  }

  #start(container: Container, before: SeenContainer | undefined): Verdict {
    const restartCount = before ? before.restartCount + 1 : this.#reportedRestarts(container.name);
    this.#actions.push({ do: 'start-container', name: container.name, restartCount, backoff: undefined });
    return 'starts';
  }

  /** Made but never started, as when edged was killed in between: its name is taken, so it goes first. */
  #remake(container: Container, last: SeenContainer): Verdict {
    const { name } = container;
    this.#actions.push({ do: 'remove-container', id: last.id, name });
    const { restartCount } = last;
    this.#actions.push({ do: 'start-container', name, restartCount, backoff: last.backoff });
    return 'starts';
  }

  #stop(container: SeenContainer, why: string): Verdict {
    this.#actions.push(stopContainer(container, gracePeriodOf(this.#input.pod), why));
    return 'waits';
  }

  #restart(container: Container, last: SeenContainer, endedAt: Instant): Verdict {
    const { now, pod } = this.#input;
    const { name } = container;
    const decision = decideRestart(last.backoff, endedAt, now);
    if (decision.restart) {
      const restartCount = last.restartCount + 1;
      this.#actions.push({ do: 'start-container', name, restartCount, backoff: decision.backoff });
      return 'starts';
    }
    const delay = formatDuration(decision.delay);
    this.#waiting.set(name, {
      reason: 'CrashLoopBackOff',
      message: `back-off ${delay} restarting failed container=${name} pod=${describePod(pod)}`,
    });
    if (this.#lookAgainAt === undefined || decision.at < this.#lookAgainAt) this.#lookAgainAt = decision.at;
    return 'waits';
  }

  /** A runtime that lost everything does not set the count back: the API still has it. */
  #reportedRestarts(name: string): number {
    const { status } = this.#input.pod;
    const reported = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    const last = reported.find((one) => one.name === name);
    return last?.containerID ? last.restartCount + 1 : 0;
  }
}
