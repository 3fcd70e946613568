// Brings one pod closer to what it should be: reads what is wanted and what is there, plans, acts, reports, and says when
// to look again. Works from a key alone, so it does not matter which event led to it.
import { explain, retryOf } from '@kedge/core/errors';
import { again, done, type Next } from '@kedge/core/control';
import { backoffDelay } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import {
  type Clock,
  type Duration,
  type Instant,
  milliseconds,
  minutes,
  parseTime,
  plus,
  seconds,
} from '@kedge/core/time';
import type { Pod, PodStatus } from '@kedge/model/k8s-types';
import type { EventRecorder } from '../events.ts';
import type { DesiredPods, DesiredStore } from '../ports.ts';
import type { Prober } from '../probes/prober.ts';
import type { Observer } from '../runtime/observe.ts';
import type { PodPaths } from '../runtime/pod-paths.ts';
import { isRunning, latestContainer, type SeenPod } from '../runtime/seen.ts';
import { podStatus } from '../status/pod-status.ts';
import type { StatusReporter } from '../status/report-status.ts';
import type { PodAdmission } from './admission.ts';
import type { CarryOut } from './carry-out.ts';
import type { ContainerStarter } from './container-starter.ts';
import { readLastWords } from './last-words.ts';
import type { PlanInput, PodAction, PodPlan, Waiting } from './pod-action.ts';
import { createPodMemory, earlier, type PodMemory } from './pod-memory.ts';
import type { PodRemoval } from './pod-removal.ts';
import { planPod, untilThen } from './plan-pod.ts';
import { allContainersOf, describePod, isTerminating, specOf } from './pod-spec.ts';
import type { Resizer } from './resizer.ts';
import { isSafeName } from './safe-names.ts';
import { findUnsupported, type NodePolicy } from './unsupported.ts';

export interface PodReconcilerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly files: Files;
  readonly paths: PodPaths;
  readonly pods: DesiredPods;
  readonly store: DesiredStore;
  readonly observer: Observer;
  readonly carryOut: CarryOut;
  readonly starter: ContainerStarter;
  readonly removal: PodRemoval;
  readonly prober: Prober;
  readonly reporter: StatusReporter;
  readonly events: EventRecorder;
  readonly hostIps: () => readonly string[];
  readonly policy: NodePolicy;
  readonly admission: PodAdmission;
  readonly resizer: Resizer;
  /** Something will happen in the runtime soon: watch it closely. */
  readonly expectChange: () => void;
}

export interface PodReconciler {
  reconcile(uid: string, signal: AbortSignal): Promise<Next>;
  memoryOf(uid: string): PodMemory;
  /** Reports the status again even if it is as before. */
  reportAgain(uid: string): void;
  /** What is wanted has changed so much that the step under way, such as a long pull, is pointless. */
  interrupt(uid: string): void;
}

const firstRetry = seconds(1);
const longestRetry = minutes(2);
/** A resize that has to wait for others to end, or that the runtime did not take. */
const lookForRoom = seconds(10);
/** A start that takes longer than this shows as one meanwhile. */
const worthShowing = milliseconds(400);

export function createPodReconciler(deps: PodReconcilerDeps): PodReconciler {
  const { clock, log, pods, observer, prober, reporter } = deps;
  const memories = new Map<string, PodMemory>();
  const passes = new Map<string, AbortController>();
  /** Of the one runtime that this node has. */
  let runtimeName = '';

  const memoryOf = (uid: string): PodMemory => {
    const known = memories.get(uid) ?? createPodMemory();
    memories.set(uid, known);
    return known;
  };

  /** False: it is not decided yet whether the pod is taken. */
  async function judge(pod: Pod, memory: PodMemory, signal: AbortSignal): Promise<boolean> {
    if (memory.failure || hasEnded(memory.status ?? pod.status)) return true;
    const started = parseTime(memory.status?.startTime ?? pod.status?.startTime);
    const { activeDeadlineSeconds } = specOf(pod);
    if (started !== undefined && activeDeadlineSeconds !== undefined) {
      if (clock.now() - started >= activeDeadlineSeconds * 1_000) {
        const message = 'Pod was active on the node longer than the specified deadline';
        memory.failure = { reason: 'DeadlineExceeded', message };
        deps.events.pod(pod, 'Normal', 'DeadlineExceeded', message);
        return true;
      }
    }
    const unsupported = findUnsupported(pod, deps.policy);
    const verdict = unsupported ?? (isNew(pod, memory) ? await deps.admission.admit(pod, signal) : 'admitted');
    if (verdict === 'wait') return false;
    if (verdict === 'admitted') return true;
    const refusal = verdict;
    memory.failure = refusal;
    deps.events.pod(pod, 'Warning', refusal.reason, refusal.message);
    log.warn('pod refused', { pod: describePod(pod), reason: refusal.message });
    return true;
  }

  async function report(pod: Pod, seen: SeenPod, memory: PodMemory, plan: PodPlan): Promise<void> {
    for (const container of seen.containers) {
      if (container.state.at !== 'exited' || memory.lastWords.has(container.id)) continue;
      memory.lastWords.set(container.id, await readLastWords(pod, container, deps).catch(() => ''));
    }
    const waiting = new Map<string, Waiting>([...memory.problems, ...plan.waiting]);
    const status = podStatus({
      pod,
      seen,
      waiting,
      ...prober.results(pod, seen),
      lastWords: memory.lastWords,
      runtimeName,
      now: clock.now(),
      previous: memory.status ?? pod.status,
      hostIps: deps.hostIps(),
      isOver: plan.isOver,
      failure: memory.failure,
      resize: memory.resize,
      allocated: memory.wasResized ? memory.allocated : undefined,
    });
    memory.status = status;
    // The API has marked it: what was reported before no longer stands there, even if it is as before.
    if (pod.status?.resize === 'Proposed' && pod.metadata.uid) reporter.forget(pod.metadata.uid);
    await reporter.report(pod, status);
  }

  async function bringForward(uid: string, wanted: Pod, memory: PodMemory, signal: AbortSignal): Promise<Next> {
    let pod = wanted;
    runtimeName = await observer.runtimeName(signal);
    const seen = await observer.observe(uid, signal);
    // What runs here was taken, even if nobody could be told before edged ended.
    if (seen.sandboxes.length > 0) memory.isAccepted = true;
    if (!(await judge(pod, memory, signal))) return again(seconds(1), 'pods are ending to make room for it');
    if (!memory.failure && !isTerminating(pod)) pod = await deps.resizer.settle(pod, memory, seen, signal);
    prober.follow(pod, seen);
    const mustEnd = memory.failure !== undefined || hasEnded(memory.status ?? pod.status);
    const plan = planPod({
      pod,
      seen,
      now: clock.now(),
      ...withRestarts(prober.verdicts(pod, seen), memory),
      mustEnd,
      endGrace: memory.failure?.disrupted?.grace,
    });
    memory.isOver = plan.isOver;
    if (plan.isOver && isTerminating(pod)) return end(uid, pod, seen, memory, plan, signal);

    for (const [container, { reason }] of plan.waiting) {
      if (reason !== 'CrashLoopBackOff') continue;
      const message = `Back-off restarting failed container ${container} in pod ${describePod(pod)}`;
      deps.events.pod(pod, 'Warning', 'BackOff', message, container);
    }
    const actions = withoutHeld(plan.actions, memory, clock.now());
    if (actions.length > 0) deps.expectChange();
    const working = deps.carryOut.run({ pod, uid, seen, actions, memory }, signal);
    await showProgress(working, pod, seen, memory, plan, signal);
    const result = await working;
    const after = actions.length > 0 ? await observer.observe(uid, signal) : seen;
    if (actions.length > 0) prober.follow(pod, after);
    // Of a pod that has changed meanwhile, the next look refreshes them: this one would show what was.
    if (memory.pod === wanted) await refreshVolumes(pod, after, memory, plan, signal);
    await report(pod, after, memory, plan);
    if (awaitsInit(pod, after)) deps.expectChange();
    if (result.failed) memory.failures += 1;
    else if (memory.holds.size === 0) memory.failures = 0;
    for (const name of result.unstarted) memory.holds.set(name, plus(clock.now(), retryDelay(memory)));
    return nextLook(pod, memory, plan, result);
  }

  async function showProgress(
    working: Promise<unknown>,
    pod: Pod,
    seen: SeenPod,
    memory: PodMemory,
    plan: PodPlan,
    signal: AbortSignal,
  ): Promise<void> {
    if (!plan.actions.some((action) => action.do === 'start-container')) return;
    const finished = new AbortController();
    const settled = working.then(
      () => true,
      () => true,
    );
    const slow = clock.sleep('start worth showing', worthShowing, AbortSignal.any([signal, finished.signal])).then(
      () => false,
      () => true,
    );
    const isDone = await Promise.race([settled, slow]);
    finished.abort();
    if (!isDone) await report(pod, seen, memory, plan);
  }

  /** Tokens run out and ConfigMaps change while containers run. */
  async function refreshVolumes(
    pod: Pod,
    seen: SeenPod,
    memory: PodMemory,
    plan: PodPlan,
    signal: AbortSignal,
  ): Promise<void> {
    if (memory.renewAt === undefined || memory.renewAt > clock.now() || plan.isOver) return;
    if (isTerminating(pod) || seen.containers.length === 0) {
      memory.renewAt = undefined;
      return;
    }
    // What changes while it is done asks for the next time.
    memory.renewAt = undefined;
    const result = await deps.starter.volumes(pod, signal);
    memory.renewAt = earlier(memory.renewAt, result.ok ? result.renewAt : plus(clock.now(), minutes(1)));
    if (!result.ok) deps.events.pod(pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed: ${result.problem}`);
  }

  /** A deleted pod whose containers have ended: report how, remove it here, and have it removed from the API. */
  async function end(
    uid: string,
    pod: Pod,
    seen: SeenPod,
    memory: PodMemory,
    plan: PodPlan,
    signal: AbortSignal,
  ): Promise<Next> {
    if (memory.removalAsked && seen.sandboxes.length + seen.containers.length === 0) return done;
    await report(pod, seen, memory, plan);
    const left = await deps.removal.remove(uid, pod, seen, signal);
    if (left.volumes) return retry(memory, 'volumes of the pod are left');
    if (!memory.removalAsked) {
      await reporter.askForRemoval(pod);
      memory.removalAsked = true;
      log.info('pod has ended and its removal is asked for', { pod: describePod(pod) });
    }
    if (left.dead) return retry(memory, 'the runtime still holds parts of the pod');
    memory.failures = 0;
    return done;
  }

  function retry(memory: PodMemory, why: string): Next {
    memory.failures += 1;
    return again(retryDelay(memory), why);
  }

  /** A pod that is not wanted any more, or was never known to be. */
  async function putAway(uid: string, memory: PodMemory, signal: AbortSignal): Promise<Next> {
    const { pod } = memory;
    // What runs here may be wanted by a cloud that has not been able to say so again.
    if (!pod && deps.store.isEmpty) return again(seconds(5), 'wanted pods are not known yet');
    const seen = await observer.observe(uid, signal);
    const plan = deps.removal.plan(pod, seen);
    if (!plan.isOver) {
      deps.expectChange();
      const { failed } = await deps.carryOut.run({ pod, uid, seen, actions: plan.actions, memory }, signal);
      if (failed) return retry(memory, 'a removed pod could not be ended');
      return again(seconds(1), 'containers of a removed pod are ending');
    }
    prober.forget(uid);
    const left = await deps.removal.remove(uid, pod, seen, signal);
    if (left.dead || left.volumes) return retry(memory, 'parts are left');
    if (!(await deps.removal.removeLogs(uid, signal))) return retry(memory, 'logs are left');
    reporter.forget(uid);
    memories.delete(uid);
    return done;
  }

  function nextLook(
    pod: Pod,
    memory: PodMemory,
    plan: PodPlan,
    result: { readonly failed: boolean; readonly retryAt: Instant | undefined },
  ): Next {
    const now = clock.now();
    const started = parseTime(memory.status?.startTime);
    const { activeDeadlineSeconds } = specOf(pod);
    const looks: [Duration | undefined, string][] = [
      [result.failed ? retryDelay(memory) : undefined, 'something failed'],
      ...[...memory.holds].map(([name, at]): [Duration, string] => [untilThen(at, now), `${name} was not started`]),
      [result.retryAt && untilThen(result.retryAt, now), 'an image is not there'],
      [plan.lookAgainAt && untilThen(plan.lookAgainAt, now), 'a restart backs off'],
      [memory.resize === 'Deferred' || memory.resizing.size > 0 ? lookForRoom : undefined, 'a resize waits'],
      [memory.renewAt && !plan.isOver ? untilThen(memory.renewAt, now) : undefined, 'volumes have to be refreshed'],
      [
        started !== undefined && activeDeadlineSeconds !== undefined && !memory.failure && !hasEnded(memory.status)
          ? untilThen(plus(started, seconds(activeDeadlineSeconds)), now)
          : undefined,
        'the deadline of the pod',
      ],
    ];
    let next: Next = done;
    for (const [after, why] of looks) {
      if (after !== undefined && (!next.again || after < next.after)) next = again(after, why);
    }
    return next;
  }

  return {
    memoryOf,
    reportAgain: (uid) => reporter.forget(uid),
    interrupt: (uid) => passes.get(uid)?.abort(new Error('the pod has changed')),
    async reconcile(uid, signal) {
      if (!isSafeName(uid)) {
        log.error('pod ignored: its uid is not one', { uid });
        return done;
      }
      const pass = new AbortController();
      passes.set(uid, pass);
      const pod = pods.get(uid);
      const either = AbortSignal.any([signal, pass.signal]);
      try {
        if (!pod) return await putAway(uid, memoryOf(uid), either);
        const known = memoryOf(uid);
        known.pod = pod;
        return await bringForward(uid, pod, known, either);
      } catch (error) {
        if (pass.signal.aborted && !signal.aborted) return again(milliseconds(0), 'the pod has changed');
        if (!signal.aborted) log.debug('pod could not be looked at', { uid, reason: explain(error) });
        // An answer that makes no sense may make sense the next time: a pod is never given up.
        throw retryOf(error) === 'never' ? new Error('the pod could not be looked at', { cause: error }) : error;
      } finally {
        passes.delete(uid);
      }
    },
  };
}

/** Not accepted yet: a pod that runs here is not refused any more. */
const isNew = (pod: Pod, memory: PodMemory): boolean =>
  !memory.isAccepted && memory.status === undefined && pod.status?.startTime === undefined && !isTerminating(pod);

const hasEnded = (status: PodStatus | undefined): boolean =>
  status?.phase === 'Succeeded' || status?.phase === 'Failed';

const retryDelay = ({ failures }: PodMemory): Duration =>
  backoffDelay(Math.max(0, failures - 1), { first: firstRetry, max: longestRetry });

/** Drops what is held back, and forgets what is not any more. */
function withoutHeld(actions: readonly PodAction[], { holds }: PodMemory, now: Instant): readonly PodAction[] {
  for (const [name, at] of holds)
    if (at <= now || !actions.some((action) => startsOne(action, name))) holds.delete(name);
  if (holds.size === 0) return actions;
  const held = actions.filter(
    (action) => !('name' in action) || action.do === 'stop-container' || !holds.has(action.name),
  );
  // A sandbox for nothing would only stand empty.
  const isEmpty = !held.some(({ do: what }) => what === 'start-container');
  return isEmpty ? held.filter(({ do: what }) => what !== 'make-sandbox') : held;
}

const startsOne = (action: PodAction, name: string): boolean => action.do === 'start-container' && action.name === name;

/** A container whose new resources take a new start ends for it. */
function withRestarts<T extends Pick<PlanInput, 'unhealthy'>>(verdicts: T, { resizing }: PodMemory): T {
  const restarts = [...resizing].filter(([, how]) => how === 'restart');
  if (restarts.length === 0) return verdicts;
  const why = 'Container resize requires a new start';
  return {
    ...verdicts,
    unhealthy: new Map([...verdicts.unhealthy, ...restarts.map(([id]) => [id, { why, grace: undefined }] as const)]),
  };
}

/** An init container that runs will end soon. */
const awaitsInit = (pod: Pod, seen: SeenPod): boolean =>
  allContainersOf(pod).some(({ name, restartPolicy }) => {
    const isInit = specOf(pod).initContainers?.some((one) => one.name === name) && restartPolicy !== 'Always';
    const latest = isInit ? latestContainer(seen, name) : undefined;
    return latest !== undefined && isRunning(latest);
  });
