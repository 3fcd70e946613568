// Probes containers for as long as they run, and knows which of them have started, are ready, or have to be replaced.
// A container without a probe of a kind passes it by running.
import type { Scope } from '@kedge/core/flow';
import { type Clock, type Duration, milliseconds, plus, seconds } from '@kedge/core/time';
import type { Container, ContainerStatus, Pod, Probe } from '@kedge/model/k8s-types';
import type { EventRecorder } from '../events.ts';
import type { PlanInput } from '../pod/pod-action.ts';
import { allContainersOf, initContainersOf, isSidecar, isTerminating, specOf, uidOf } from '../pod/pod-spec.ts';
import type { SeenContainer, SeenPod } from '../runtime/seen.ts';
import { countAnswer, noAnswers } from './probe-count.ts';
import type { RunProbe } from './run-probe.ts';

export interface Prober {
  /** Starts probes of containers that run and ends those of others. */
  follow(pod: Pod, seen: SeenPod): void;
  results(pod: Pod, seen: SeenPod): { started: ReadonlySet<string>; ready: ReadonlySet<string> };
  verdicts(pod: Pod, seen: SeenPod): Pick<PlanInput, 'starting' | 'unhealthy'>;
  forget(uid: string): void;
}

interface Watched {
  readonly uid: string;
  readonly stop: AbortController;
  isStarted: boolean;
  isReady: boolean;
  /** Its pod is going away: whether it is alive does not matter any more, whether it is ready does. */
  isEnding: boolean;
  unhealthy: { readonly why: string; readonly grace: Duration | undefined } | undefined;
}

export interface ProberDeps {
  readonly clock: Clock;
  readonly scope: Scope;
  readonly events: EventRecorder;
  readonly run: RunProbe;
  readonly hostIps: () => readonly string[];
  /** A verdict changed. */
  readonly changed: (uid: string) => void;
}

export function createProber(deps: ProberDeps): Prober {
  const { clock, scope, events, run, changed } = deps;
  const watched = new Map<string, Watched>();

  function watch(pod: Pod, seen: SeenPod, container: Container, of: SeenContainer): void {
    const { startupProbe, readinessProbe, livenessProbe } = container;
    const before = reportedStatus(pod, of);
    const entry: Watched = {
      uid: uidOf(pod),
      stop: new AbortController(),
      // A restart of edged does not make a container unready that it reported as ready before.
      isStarted: startupProbe === undefined || before?.started === true,
      isReady: readinessProbe === undefined || before?.ready === true,
      isEnding: isTerminating(pod),
      unhealthy: undefined,
    };
    watched.set(of.id, entry);
    if (!startupProbe && !readinessProbe && !livenessProbe) return;
    const podIp = (specOf(pod).hostNetwork ? deps.hostIps()[0] : seen.sandboxes[0]?.addresses[0]) ?? '127.0.0.1';
    const subject = { pod, container, of, podIp, entry };
    scope.spawn(`probes of ${container.name}`, async (ended) => {
      const signal = AbortSignal.any([ended, entry.stop.signal]);
      await Promise.all([
        startupProbe && !entry.isStarted ? follow('Startup', startupProbe, subject, signal) : undefined,
        readinessProbe ? follow('Readiness', readinessProbe, subject, signal) : undefined,
        livenessProbe ? follow('Liveness', livenessProbe, subject, signal) : undefined,
      ]).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    });
  }

  async function follow(
    kind: 'Startup' | 'Readiness' | 'Liveness',
    probe: Probe,
    { pod, container, of, podIp, entry }: Subject,
    signal: AbortSignal,
  ): Promise<void> {
    const every = seconds(probe.periodSeconds ?? 10);
    const startedAt = of.state.at === 'running' ? of.state.startedAt : clock.now();
    const due = plus(startedAt, seconds(probe.initialDelaySeconds ?? 0));
    await clock.sleep(`first ${kind} probe`, milliseconds(Math.max(0, due - clock.now())), signal);
    let count = noAnswers;
    while (!signal.aborted) {
      // The others wait until the container has started.
      if (entry.isEnding && kind !== 'Readiness') return;
      if (kind === 'Startup' || entry.isStarted) {
        const answer = await run(probe, { container, containerId: of.id, podIp }, signal);
        signal.throwIfAborted();
        if (answer.is === 'failure') {
          events.pod(pod, 'Warning', 'Unhealthy', `${kind} probe failed: ${answer.message}`, container.name);
        }
        if (answer.is === 'success' && answer.warning !== undefined) {
          events.pod(pod, 'Warning', 'ProbeWarning', `${kind} probe warning: ${answer.warning}`, container.name);
        }
        count = countAnswer(count, answer.is, probe);
        if (judge(kind, count.verdict, container, probe, entry)) changed(entry.uid);
        if (kind === 'Startup' && entry.isStarted) return;
        if (entry.unhealthy) return;
      }
      const untilStarted = kind !== 'Startup' && !entry.isStarted ? milliseconds(Math.min(every, 1_000)) : every;
      await clock.sleep(`${kind} probe`, untilStarted, signal);
    }
  }

  const containersOf = (pod: Pod, seen: SeenPod): [Container, SeenContainer][] =>
    allContainersOf(pod).flatMap((container) => {
      const of = seen.containers.find(({ name }) => name === container.name);
      return of?.state.at === 'running' ? [[container, of] as [Container, SeenContainer]] : [];
    });

  return {
    follow(pod, seen) {
      const running = new Set(containersOf(pod, seen).map(([, { id }]) => id));
      for (const [id, entry] of watched) {
        if (entry.uid !== uidOf(pod)) continue;
        entry.isEnding = isTerminating(pod);
        if (running.has(id)) continue;
        entry.stop.abort();
        watched.delete(id);
      }
      const oneTime = new Set(initContainersOf(pod).filter((one) => !isSidecar(one)));
      for (const [container, of] of containersOf(pod, seen)) {
        if (!watched.has(of.id) && !oneTime.has(container)) watch(pod, seen, container, of);
      }
    },
    results(pod, seen) {
      const running = containersOf(pod, seen).map(([, { id }]) => id);
      const started = running.filter((id) => watched.get(id)?.isStarted ?? true);
      const ready = started.filter((id) => watched.get(id)?.isReady ?? true);
      return { started: new Set(started), ready: new Set(ready) };
    },
    verdicts(pod, seen) {
      const running = containersOf(pod, seen).map(([, { id }]) => id);
      const unhealthy: [string, NonNullable<Watched['unhealthy']>][] = [];
      for (const id of running) {
        const verdict = watched.get(id)?.unhealthy;
        if (verdict) unhealthy.push([id, verdict]);
      }
      return {
        starting: new Set(running.filter((id) => watched.get(id)?.isStarted === false)),
        unhealthy: new Map(unhealthy),
      };
    },
    forget(uid) {
      for (const [id, entry] of watched) {
        if (entry.uid !== uid) continue;
        entry.stop.abort();
        watched.delete(id);
      }
    },
  };
}

interface Subject {
  readonly pod: Pod;
  readonly container: Container;
  readonly of: SeenContainer;
  readonly podIp: string;
  readonly entry: Watched;
}

/** Enters a verdict; true when it is new. */
function judge(
  kind: 'Startup' | 'Readiness' | 'Liveness',
  verdict: boolean | undefined,
  container: Container,
  probe: Probe,
  entry: Watched,
): boolean {
  if (verdict === undefined) return false;
  if (kind === 'Readiness') {
    if (entry.isReady === verdict) return false;
    entry.isReady = verdict;
    return true;
  }
  if (!verdict) {
    const grace = probe.terminationGracePeriodSeconds;
    entry.unhealthy = {
      why: `Container ${container.name} failed ${kind.toLowerCase()} probe, will be restarted`,
      grace: grace === undefined ? undefined : seconds(grace),
    };
    return true;
  }
  if (kind === 'Liveness' || entry.isStarted) return false;
  entry.isStarted = true;
  return true;
}

function reportedStatus(pod: Pod, { id, name }: SeenContainer): ContainerStatus | undefined {
  const { initContainerStatuses = [], containerStatuses = [] } = pod.status ?? {};
  const status = [...initContainerStatuses, ...containerStatuses].find((one) => one.name === name);
  return status?.containerID?.endsWith(`://${id}`) ? status : undefined;
}
