// Scales whatever has a scale subresource to what its metrics ask for, every 15 seconds.
import { again, done, type Next } from '@kedge/core/control';
import { explain } from '@kedge/core/errors';
import type { Module } from '@kedge/core/module';
import { seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import { type GroupVersionResource, isStatus, objectKey, parseApiVersion } from '@kedge/model/k8s';
import { type LabelSelector, matchesLabels, parseLabelSelector } from '@kedge/model/k8s-selectors';
import type { HorizontalPodAutoscaler, HorizontalPodAutoscalerStatus, MetricStatus, Pod } from '@kedge/model/k8s-types';
import { type ControllerDeps, createController } from '../runtime/controller.ts';
import { writeStatus } from '../runtime/status-patch.ts';
import { AutoscalerReport } from './autoscaler-status.ts';
import { createMetricProposals, type MetricFacts } from './metric-proposals.ts';
import { limitScale, noHistory, remember, type ScaleHistory } from './scale-limits.ts';
import { createScaleTargets, type Scale } from '../runtime/scale-targets.ts';

const { horizontalPodAutoscalers } = collections;
const lookEvery = seconds(15);
const look = again(lookEvery, 'metrics change without an event');
const alwaysCounted = ['desiredReplicas'];

/** One look at an autoscaler and its target. */
interface Look {
  readonly key: string;
  readonly autoscaler: HorizontalPodAutoscaler;
  readonly target: GroupVersionResource;
  readonly scale: Scale;
  readonly report: AutoscalerReport;
  readonly signal: AbortSignal;
}

interface Wish {
  readonly replicas: number;
  readonly reason: string;
  readonly metrics: readonly MetricStatus[];
}

export function createHorizontalPodAutoscalerController(deps: ControllerDeps): Module {
  const { api, cluster, clock, log } = deps;
  const events = deps.events('horizontal-pod-autoscaler');
  const autoscalers = cluster.of(horizontalPodAutoscalers);
  const histories = new Map<string, ScaleHistory>();
  /** The selectors of targets, as last seen: no pod may belong to two autoscalers. */
  const selectors = new Map<string, LabelSelector>();
  const targets = createScaleTargets({ api, clock });
  const proposals = createMetricProposals({
    api,
    now: () => clock.now(),
    resourceOf: async (apiVersion, kind, signal) => (await targets.resourceOf(apiVersion, kind, signal))?.resource,
  });

  async function reconcile(key: string, signal: AbortSignal): Promise<Next> {
    const autoscaler = autoscalers.get(key);
    if (!autoscaler) {
      histories.delete(key);
      selectors.delete(key);
      return done;
    }
    const report = new AutoscalerReport(autoscaler, clock.now());
    const found = await readScale(autoscaler, signal);
    if (!found.ok) {
      events.warning(autoscaler, 'FailedGetScale', found.why);
      const message = `the HPA controller was unable to get the target's current scale: ${found.why}`;
      report.say('AbleToScale', 'False', 'FailedGetScale', message);
      await write(autoscaler, report.status({}), signal);
      return look;
    }
    report.say(
      'AbleToScale',
      'True',
      'SucceededGetScale',
      "the HPA controller was able to get the target's current scale",
    );
    const { target, scale } = found;
    await scaleTo({ key, autoscaler, target, scale, report, signal });
    return look;
  }

  async function readScale(
    { metadata, spec }: HorizontalPodAutoscaler,
    signal: AbortSignal,
  ): Promise<{ ok: true; target: GroupVersionResource; scale: Scale } | { ok: false; why: string }> {
    const { apiVersion = 'v1', kind = '', name = '' } = spec?.scaleTargetRef ?? {};
    try {
      const target = await targets.resourceOf(apiVersion, kind, signal);
      if (!target)
        return { ok: false, why: `no matches for kind "${kind}" in group "${parseApiVersion(apiVersion).group}"` };
      const { namespace } = metadata;
      const scale = await api.get(target, { namespace, name, subresource: 'scale' }, { signal });
      return { ok: true, target, scale };
    } catch (error) {
      if (signal.aborted || !isStatus(error)) throw error;
      return { ok: false, why: explain(error) };
    }
  }

  async function scaleTo(at: Look): Promise<void> {
    const { key, autoscaler, scale, report, signal } = at;
    const current = scale.spec?.replicas ?? 0;
    const { minReplicas: min = 1, maxReplicas: max = 1 } = autoscaler.spec ?? {};
    if (!histories.has(key)) histories.set(key, remember(noHistory, clock.now(), { recommended: current }));
    if (current === 0 && min !== 0) {
      const message = 'scaling is disabled since the replica count of the target is zero';
      report.say('ScalingActive', 'False', 'ScalingDisabled', message);
      return write(autoscaler, report.status({ current: scale.status?.replicas ?? 0, desired: 0 }), signal);
    }
    if (current > max)
      return settle(at, { replicas: max, reason: 'Current number of replicas above Spec.MaxReplicas', metrics: [] });
    if (current < min)
      return settle(at, { replicas: min, reason: 'Current number of replicas below Spec.MinReplicas', metrics: [] });
    const wish = await wishOf(at, current);
    if (wish) return settle(at, wish);
    await write(autoscaler, report.status({ current: scale.status?.replicas ?? 0 }), signal);
  }

  /** What the metrics ask for, within limits; undefined when they cannot be read well enough to act on. */
  async function wishOf(at: Look, current: number): Promise<Wish | undefined> {
    const { key, autoscaler, report } = at;
    const facts = metricFacts(at, current);
    if (!facts) return undefined;
    const proposed = await propose(at, facts);
    if (!proposed) return undefined;
    const history = histories.get(key) ?? noHistory;
    const now = clock.now();
    const limits = limitScale(autoscaler, current, proposed.replicas, history, now);
    histories.set(key, remember(history, now, { recommended: proposed.replicas }));
    const { stabilized, limited } = limits;
    if (stabilized) report.say('AbleToScale', 'True', stabilized.reason, stabilized.message);
    else report.say('AbleToScale', 'True', 'ReadyForNewScale', 'recommended size matches current size');
    report.say('ScalingLimited', limited.status, limited.reason, limited.message);
    const reason =
      proposed.replicas > current
        ? `${proposed.name} above target`
        : proposed.replicas < current
          ? 'All metrics below target'
          : '';
    return { replicas: limits.replicas, reason, metrics: proposed.metrics };
  }

  function metricFacts({ key, autoscaler, scale, report }: Look, current: number): MetricFacts | undefined {
    const { namespace = '' } = autoscaler.metadata;
    const refuse = (reason: string, event: string, message: string, text: string): undefined => {
      events.warning(autoscaler, event, text);
      report.say('ScalingActive', 'False', reason, message);
      return undefined;
    };
    const selector = scale.status?.selector ?? '';
    if (selector === '') {
      const message = "the HPA target's scale is missing a selector";
      return refuse('InvalidSelector', 'SelectorRequired', message, 'selector is required');
    }
    const parsed = tryParse(selector);
    if (!parsed) {
      const message = `couldn't convert selector into a corresponding internal selector object: ${selector}`;
      return refuse('InvalidSelector', 'InvalidSelector', message, message);
    }
    selectors.set(key, parsed);
    const pods = podsOf(namespace, parsed);
    const rivals = rivalsOf(namespace, pods);
    if (rivals.length > 1) {
      const message = `pods by selector ${selector} are controlled by multiple HPAs: [${rivals.join(' ')}]`;
      return refuse('AmbiguousSelector', 'AmbiguousSelector', message, message);
    }
    return {
      namespace,
      selector,
      pods,
      specReplicas: current,
      statusReplicas: scale.status?.replicas ?? 0,
      now: clock.now(),
    };
  }

  const podsOf = (namespace: string, selector: LabelSelector): Pod[] =>
    [...cluster.podsByNamespace.get(namespace)].filter(({ metadata }) => matchesLabels(selector, metadata.labels));

  /** Autoscalers of the namespace whose targets have one of these pods. */
  function rivalsOf(namespace: string, pods: readonly Pod[]): string[] {
    const inNamespace = [...selectors].filter(([key]) => key.startsWith(`${namespace}/`));
    if (inNamespace.length < 2) return [];
    return inNamespace
      .filter(([, selector]) => pods.some(({ metadata }) => matchesLabels(selector, metadata.labels)))
      .map(([key]) => key)
      .toSorted();
  }

  /** The largest of the proposals. Metrics that fail may not make the target smaller. */
  async function propose({ autoscaler, report, signal }: Look, facts: MetricFacts) {
    const metrics = autoscaler.spec?.metrics ?? [];
    let best: { replicas: number; name: string } | undefined;
    const statuses: MetricStatus[] = [];
    const failures: { reason: string; why: string; whatFailed: string }[] = [];
    for (const metric of metrics) {
      const outcome = await proposals.of(metric, facts, signal);
      if (!outcome.ok) {
        failures.push(outcome);
        continue;
      }
      statuses.push(outcome.status);
      if (!best || outcome.replicas > best.replicas) best = outcome;
    }
    for (const { reason, why } of failures) events.warning(autoscaler, reason, why);
    const [first] = failures;
    if (first) {
      const text = `invalid metrics (${failures.length} invalid out of ${metrics.length}), first error is: ${first.whatFailed}`;
      events.warning(autoscaler, 'FailedComputeMetricsReplicas', text);
      if (!best || best.replicas < facts.specReplicas) {
        const message = `the HPA was unable to compute the replica count: ${first.why}`;
        report.say('ScalingActive', 'False', first.reason, message);
        return undefined;
      }
    }
    if (!best) return undefined;
    const message = `the HPA was able to successfully calculate a replica count from ${best.name}`;
    report.say('ScalingActive', 'True', 'ValidMetricFound', message);
    return { ...best, metrics: statuses };
  }

  async function settle(at: Look, { replicas, reason, metrics }: Wish): Promise<void> {
    const { key, autoscaler, target, scale, report, signal } = at;
    const current = scale.spec?.replicas ?? 0;
    const seen = scale.status?.replicas ?? 0;
    const isChange = replicas !== current;
    if (isChange) {
      const { namespace, resourceVersion } = scale.metadata;
      const name = autoscaler.spec?.scaleTargetRef.name ?? '';
      const patch = JSON.stringify({ metadata: { resourceVersion }, spec: { replicas } });
      try {
        await api.patch(target, { namespace, name, subresource: 'scale' }, 'merge', patch, { signal });
      } catch (error) {
        // Changed meanwhile, which is nothing to tell users: the next try starts from what it is now.
        if (signal.aborted || !isStatus(error) || isStatus(error, 'Conflict')) throw error;
        const why = explain(error);
        events.warning(autoscaler, 'FailedRescale', `New size: ${replicas}; reason: ${reason}; error: ${why}`);
        const message = `the HPA controller was unable to update the target scale: ${why}`;
        report.say('AbleToScale', 'False', 'FailedUpdateScale', message);
        await write(autoscaler, report.status({ current: seen }), signal);
        throw error;
      }
      const message = `the HPA controller was able to update the target scale to ${replicas}`;
      report.say('AbleToScale', 'True', 'SucceededRescale', message);
      events.normal(autoscaler, 'SuccessfulRescale', `New size: ${replicas}; reason: ${reason}`);
      const history = histories.get(key) ?? noHistory;
      histories.set(key, remember(history, clock.now(), { change: replicas - current }));
      log.info('target scaled', { key, from: current, to: replicas });
    }
    await write(autoscaler, report.status({ current: seen, desired: replicas, metrics, rescaled: isChange }), signal);
  }

  async function write(
    autoscaler: HorizontalPodAutoscaler,
    status: HorizontalPodAutoscalerStatus,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await writeStatus(api, horizontalPodAutoscalers, autoscaler, status, { keepZeros: alwaysCounted, signal });
    } catch (error) {
      if (!isStatus(error, 'NotFound')) throw error;
    }
  }

  return createController(deps, {
    name: 'horizontalpodautoscaling',
    reads: [autoscalers, cluster.pods],
    watch: (queue) => [
      autoscalers.listen({
        onPut(autoscaler, before) {
          // Our own status is no news.
          const isOwnWrite = before !== undefined && before.metadata.generation === autoscaler.metadata.generation;
          if (!isOwnWrite) queue.enqueue(objectKey(autoscaler));
        },
        onDelete: (autoscaler) => queue.enqueue(objectKey(autoscaler)),
      }),
    ],
    reconcile,
  });
}

function tryParse(selector: string): LabelSelector | undefined {
  try {
    return parseLabelSelector(selector);
  } catch {
    return undefined;
  }
}
