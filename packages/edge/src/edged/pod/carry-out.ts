// Does what a plan says. A failure is a result, not an exception: it is remembered for the status, told as an event, and
// tried again; only a cancelled pass throws.
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import { type Duration, type Instant, minutes } from '@kedge/core/time';
import type { Cgroups, Files } from '@kedge/core/ports';
import type { Pod } from '@kedge/model/k8s-types';
import type { Cri } from '@kedge/wire/cri';
import { rpcCodeOf, rpcMessage } from '@kedge/wire/rpc';
import type { EventRecorder } from '../events.ts';
import type { Objects } from '../ports.ts';
import { runtimeHandlerOf } from '../runtime/runtime-classes.ts';
import type { Observer } from '../runtime/observe.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';
import type { SeenPod, SeenSandbox } from '../runtime/seen.ts';
import type { ContainerStarter } from './container-starter.ts';
import type { ContainerStops } from './container-stops.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { PodAction } from './pod-action.ts';
import type { PodMemory } from './pod-memory.ts';
import type { PodSetup } from './pod-setup.ts';
import { podCgroupLimits, qosCgroupLimits } from '../runtime/pod-limits.ts';
import { type CgroupSettings, podCgroup, qosCgroup } from '../runtime/resources.ts';
import { allContainersOf, describePod, qosClassOf } from './pod-spec.ts';

export interface CarryOut {
  run(work: Work, signal: AbortSignal): Promise<WorkResult>;
}

export interface WorkResult {
  /** Something is to be tried again by the general back-off. */
  readonly failed: boolean;
  /** When to try again what failed, by its own back-off. */
  readonly retryAt: Instant | undefined;
  /** Containers whose start the runtime would not or could not carry out; `failed` then. */
  readonly unstarted: readonly string[];
}

export interface Work {
  readonly pod: Pod | undefined;
  readonly uid: string;
  readonly seen: SeenPod;
  readonly actions: readonly PodAction[];
  readonly memory: PodMemory;
}

export interface CarryOutDeps {
  readonly cri: Cri;
  readonly log: Log;
  readonly files: Files;
  readonly paths: PodPaths;
  readonly events: EventRecorder;
  readonly observer: Observer;
  readonly stops: ContainerStops;
  readonly lifecycle: Lifecycle;
  readonly setup: PodSetup;
  readonly starter: ContainerStarter;
  readonly objects: Objects;
  readonly cgroups: Pick<Cgroups, 'set'>;
  readonly config: CgroupSettings & { readonly podPidsLimit: number };
  /** Those that were taken and have not ended. */
  readonly accepted: () => readonly Pod[];
  readonly lookAgain: (uid: string) => void;
}

const sandboxTimeout = minutes(4);

export function createCarryOut(deps: CarryOutDeps): CarryOut {
  const { cri, events, log, observer, stops } = deps;

  function stop({ pod, uid }: Work, action: Extract<PodAction, { do: 'stop-container' }>): void {
    const container = pod && allContainersOf(pod).find(({ name }) => name === action.name);
    if (!stops.has(action.id) && pod) {
      const message = action.why || `Stopping container ${action.name}`;
      events.pod(pod, 'Normal', 'Killing', message, action.name);
      log.info('stopping container', { pod: describePod(pod), container: action.name, reason: message });
    }
    const preStop = container?.lifecycle?.preStop;
    const before =
      pod && container && preStop
        ? (within: Duration, signal: AbortSignal) => deps.lifecycle.preStop(pod, container, action.id, within, signal)
        : undefined;
    stops.stop(action.id, {
      grace: action.grace,
      done: () => deps.lookAgain(uid),
      refused: (reason) => tellUnkilled(pod, `KillContainer of ${action.name}`, reason),
      beforehand: before,
    });
  }

  function tellUnkilled(pod: Pod | undefined, what: string, reason: string): void {
    if (pod) events.pod(pod, 'Warning', 'FailedKillPod', `error killing pod: ${what} failed: ${reason}`);
  }

  /** A container that restarts for years must not fill the disk with logs. */
  async function removeTraces({ pod, uid, seen, memory }: Work, id: string): Promise<void> {
    observer.forget(id);
    memory.lastWords.delete(id);
    const container = seen.containers.find((one) => one.id === id);
    if (!pod || !container) return;
    const { name, restartCount } = container;
    const { files, paths } = deps;
    // One that was made but never started is made again under the same number.
    if (container.state.at === 'created') return;
    await files.remove(`${paths.logDirectory(pod)}/${paths.logFile(name, restartCount)}`).catch(() => undefined);
    await files.remove(paths.terminationMessage(uid, name, restartCount)).catch(() => undefined);
  }

  /** The pod's own cgroup and that of its class, before anything runs in them. */
  async function limitPod(pod: Pod, signal: AbortSignal): Promise<boolean> {
    const { cgroups, config } = deps;
    try {
      const qos = qosClassOf(pod);
      if (qos !== 'Guaranteed') await cgroups.set(qosCgroup(qos, config), qosCgroupLimits(deps.accepted(), qos));
      await cgroups.set(podCgroup(pod, config), podCgroupLimits(pod, { maxProcesses: config.podPidsLimit }));
      return true;
    } catch (error) {
      signal.throwIfAborted();
      const message = `unable to ensure pod container exists: ${explain(error)}`;
      events.pod(pod, 'Warning', 'FailedCreatePodContainer', message);
      log.warn('the cgroup of a pod could not be made', { pod: describePod(pod), reason: explain(error) });
      return false;
    }
  }

  async function makeSandbox(pod: Pod, attempt: number, signal: AbortSignal): Promise<SeenSandbox | undefined> {
    try {
      const config = await deps.setup.sandbox(pod, attempt);
      const options = { signal, timeout: sandboxTimeout };
      const runtimeHandler = await runtimeHandlerOf(pod, deps.objects, signal);
      const { podSandboxId } = await cri.runPodSandbox({ config, runtimeHandler }, options);
      return await observer.sandbox(podSandboxId, attempt, signal);
    } catch (error) {
      signal.throwIfAborted();
      const message = `Failed to create pod sandbox: ${rpcMessage(error)}`;
      events.pod(pod, 'Warning', 'FailedCreatePodSandBox', message);
      log.warn('sandbox could not be made', { pod: describePod(pod), reason: explain(error) });
      return undefined;
    }
  }

  async function startContainers(work: Work, pod: Pod, signal: AbortSignal): Promise<WorkResult> {
    const starts = work.actions.filter((action) => action.do === 'start-container');
    const making = work.actions.find((action) => action.do === 'make-sandbox');
    if (starts.length === 0 && !making) return nothingFailed;
    const attempt = making?.attempt ?? work.seen.sandboxes[0]?.attempt ?? 0;
    const present = work.seen.sandboxes[0];
    // Volumes and images do not need the sandbox: they are got ready while it is made.
    const preparing = deps.starter.prepare({ pod, starts, attempt, memory: work.memory }, signal);
    preparing.catch(() => undefined);
    const isLimited = !making || (await limitPod(pod, signal));
    const sandbox = making ? isLimited && (await makeSandbox(pod, attempt, signal)) : present;
    const ready = await preparing.catch((error: unknown) => {
      signal.throwIfAborted();
      const message = `error making pod data directories: ${explain(error)}`;
      if (sandbox) events.pod(pod, 'Warning', 'FailedToMakePodDataDirectories', message);
      log.warn('a pod could not be prepared', { pod: describePod(pod), reason: explain(error) });
      return undefined;
    });
    if (!sandbox || !ready) return { failed: true, retryAt: undefined, unstarted: starts.map(({ name }) => name) };
    return deps.starter.start({ pod, starts, attempt, sandbox, ready, memory: work.memory, seen: work.seen }, signal);
  }

  async function takeAway(work: Work, action: PodAction, signal: AbortSignal): Promise<'done' | 'gone' | 'refused'> {
    let outcome: 'done' | 'gone' = 'done';
    try {
      if (action.do === 'stop-sandbox') await cri.stopPodSandbox({ podSandboxId: action.id }, { signal });
      else if (action.do === 'remove-sandbox') await cri.removePodSandbox({ podSandboxId: action.id }, { signal });
      else if (action.do === 'remove-container') await cri.removeContainer({ containerId: action.id }, { signal });
    } catch (error) {
      signal.throwIfAborted();
      if (rpcCodeOf(error) !== 'NOT_FOUND') {
        log.warn('the container runtime refused a step', { uid: work.uid, reason: explain(error) });
        if (action.do === 'stop-sandbox') tellUnkilled(work.pod, 'KillPodSandbox', rpcMessage(error));
        return 'refused';
      }
      outcome = 'gone';
    }
    if (action.do === 'remove-sandbox') observer.forget(action.id);
    if (action.do === 'remove-container') await removeTraces(work, action.id);
    return outcome;
  }

  return {
    async run(work, signal) {
      const { actions } = work;
      const isStart = ({ do: what }: PodAction): boolean => what === 'start-container' || what === 'make-sandbox';
      // What has to go first stands before the last start; what is only tidied up must not keep anything from starting.
      const lastStart = actions.findLastIndex(isStart);
      let isInTheWay = false;
      let isLeft = false;
      for (const [n, action] of actions.entries()) {
        if (isStart(action)) continue;
        if (action.do === 'stop-container') {
          stop(work, action);
          continue;
        }
        const outcome = await takeAway(work, action, signal);
        if (outcome === 'refused' && n < lastStart) isInTheWay = true;
        // It was listed a moment ago: whether it has gone is looked at again.
        else if (outcome !== 'done') isLeft = true;
      }
      if (isInTheWay || !work.pod) return { ...nothingFailed, failed: isInTheWay || isLeft };
      const started = await startContainers(work, work.pod, signal);
      return { ...started, failed: started.failed || isLeft };
    },
  };
}

const nothingFailed: WorkResult = { failed: false, retryAt: undefined, unstarted: [] };
