// What each metric of an autoscaler proposes, with its status and the words in which Kubernetes speaks of it.
import type { Instant } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { parseApiVersion } from '@kedge/model/k8s';
import { formatQuantity, quantityOfMillis } from '@kedge/model/k8s-quantity';
import type { Container, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus, Pod } from '@kedge/model/k8s-types';
import { isReady } from '../pods/pod-state.ts';
import { createMetricSources, milli, type MetricSources } from './metric-sources.ts';
import type { PodReadings } from './pod-groups.ts';
import {
  none,
  type PodFacts,
  proposeByAverage,
  proposeByRatio,
  proposeByUtilization,
  type Proposal,
  proposePerPod,
  type Result,
  value,
} from './replica-proposal.ts';

export interface MetricFacts {
  readonly namespace: string;
  /** Of the scale target's pods, as text. */
  readonly selector: string;
  readonly pods: readonly Pod[];
  readonly specReplicas: number;
  readonly statusReplicas: number;
  readonly now: Instant;
}

export type MetricOutcome =
  | { readonly ok: true; readonly replicas: number; readonly name: string; readonly status: MetricStatus }
  | { readonly ok: false; readonly reason: string; readonly why: string; readonly whatFailed: string };

export interface MetricProposals {
  of(metric: MetricSpec, facts: MetricFacts, signal: AbortSignal): Promise<MetricOutcome>;
}

export interface MetricProposalDeps {
  readonly api: KubeApi;
  readonly now: () => Instant;
  /** The resource of a kind, as a part of a path. */
  readonly resourceOf: (apiVersion: string, kind: string, signal: AbortSignal) => Promise<string | undefined>;
}

export function createMetricProposals({ api, now, resourceOf }: MetricProposalDeps): MetricProposals {
  const sources = createMetricSources({ api, now });
  return {
    async of(metric, facts, signal) {
      const { resource, containerResource, pods, object, external } = metric;
      if (metric.type === 'Resource' && resource) return ofResource(sources, resource, facts, signal);
      if (metric.type === 'ContainerResource' && containerResource)
        return ofResource(sources, containerResource, facts, signal);
      if (metric.type === 'Pods' && pods) return ofPods(sources, pods, facts, signal);
      if (metric.type === 'Object' && object) {
        const { apiVersion = 'v1', kind, name } = object.describedObject;
        const plural = (await resourceOf(apiVersion, kind, signal)) ?? `${kind.toLowerCase()}s`;
        const { group } = parseApiVersion(apiVersion);
        const path = `${group ? `${plural}.${group}` : plural}/${encodeURIComponent(name)}`;
        return ofObject(sources, object, path, facts, signal);
      }
      if (metric.type === 'External' && external) return ofExternal(sources, external, facts, signal);
      const why = `unknown metric source type "${metric.type}"`;
      return { ok: false, reason: 'InvalidMetricSourceType', why, whatFailed: why };
    },
  };
}

type ResourceSource = NonNullable<MetricSpec['resource']> & { readonly container?: string };

async function ofResource(
  sources: MetricSources,
  source: ResourceSource,
  facts: MetricFacts,
  signal: AbortSignal,
): Promise<MetricOutcome> {
  const { name, target, container } = source;
  const reason = container === undefined ? 'FailedGetResourceMetric' : 'FailedGetContainerResourceMetric';
  const what = `failed to get ${name} ${container === undefined ? 'resource' : 'container'} metric value`;
  const failed = (measure: string, why: string): MetricOutcome =>
    failure(reason, `failed to get ${name} ${measure}: ${why}`, what);
  const limited = container === undefined ? {} : { container };
  const asked = { namespace: facts.namespace, selector: facts.selector, name, ...limited };
  const average = milli(target.averageValue);
  const { averageUtilization } = target;
  if (average === undefined && averageUtilization === undefined) {
    const why =
      'invalid resource metric source: neither an average utilization target nor an average value (usage) target was set';
    return failure(reason, why, what);
  }
  const measure = average === undefined ? 'utilization' : 'usage';
  const readings = await sources.resource(asked, signal);
  if (!readings.ok) return failed(measure, `unable to get metrics for resource ${name}: ${readings.why}`);
  const podFacts = podFactsOf(facts, readings.value, name);
  const found =
    average === undefined
      ? byUtilization(podFacts, name, container, averageUtilization!)
      : proposeByAverage(podFacts, average);
  if (!found.ok) return failed(measure, found.why);
  const { replicas } = found.value;
  const current: MetricValueStatus = {
    ...(found.value.utilization === undefined ? {} : { averageUtilization: found.value.utilization }),
    averageValue: amount(found.value.average),
  };
  const plain = container === undefined ? `${name} resource` : `${name} container resource`;
  return {
    ok: true,
    replicas,
    name: average === undefined ? `${plain} utilization (percentage of request)` : plain,
    status:
      container === undefined
        ? { type: 'Resource', resource: { name, current } }
        : { type: 'ContainerResource', containerResource: { name, container, current } },
  };
}

function byUtilization(facts: PodFacts, name: string, container: string | undefined, target: number): Result<Proposal> {
  const requests = new Map<string, number>();
  for (const pod of facts.pods) {
    const requested = requestOf(pod, name, container);
    if (!requested.ok) return requested;
    requests.set(pod.metadata.name ?? '', requested.value);
  }
  return proposeByUtilization(facts, requests, target);
}

/** Sidecars run as long as the containers and count with them. */
function requestOf({ metadata, spec }: Pod, name: string, container: string | undefined): Result<number> {
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const all: Container[] = [...(spec?.containers ?? []), ...sidecars];
  let sum = 0;
  for (const one of all) {
    if (container !== undefined && one.name !== container) continue;
    const request = milli(one.resources?.requests?.[name]);
    if (request === undefined)
      return none(`missing request for ${name} in container ${one.name} of Pod ${metadata.name}`);
    sum += request;
  }
  return value(sum);
}

async function ofPods(
  sources: MetricSources,
  { metric, target }: NonNullable<MetricSpec['pods']>,
  facts: MetricFacts,
  signal: AbortSignal,
): Promise<MetricOutcome> {
  const failed = (why: string): MetricOutcome =>
    failure('FailedGetPodsMetric', `unable to get metric ${metric.name}: ${why}`, 'failed to get pods metric value');
  const average = milli(target.averageValue);
  if (average === undefined) return failed('no average value (usage) target was set');
  const { namespace, selector } = facts;
  const readings = await sources.pods({ namespace, selector, metric }, signal);
  if (!readings.ok) return failed(readings.why);
  const found = proposeByAverage(podFactsOf(facts, readings.value, ''), average);
  if (!found.ok) return failed(found.why);
  const current = { averageValue: amount(found.value.average) };
  return {
    ok: true,
    replicas: found.value.replicas,
    name: `pods metric ${metric.name}`,
    status: { type: 'Pods', pods: { metric, current } },
  };
}

async function ofObject(
  sources: MetricSources,
  { metric, target, describedObject }: NonNullable<MetricSpec['object']>,
  path: string,
  facts: MetricFacts,
  signal: AbortSignal,
): Promise<MetricOutcome> {
  const { kind, name, apiVersion } = describedObject;
  const failed = (why: string): MetricOutcome =>
    failure('FailedGetObjectMetric', why, 'failed to get object metric value');
  const used = await sources.object({ namespace: facts.namespace, path, metric }, signal);
  if (!used.ok)
    return failed(`unable to get metric ${metric.name}: ${kind} on ${facts.namespace} ${name}: ${used.why}`);
  const found = shared(used.value, target, facts);
  if (!found.ok) return failed(found.why);
  const object = { kind, name, ...(apiVersion === undefined ? {} : { apiVersion }) };
  return {
    ok: true,
    replicas: found.value.replicas,
    name: `${kind} metric ${metric.name}`,
    status: { type: 'Object', object: { describedObject: object, metric, current: found.value.current } },
  };
}

async function ofExternal(
  sources: MetricSources,
  { metric, target }: NonNullable<MetricSpec['external']>,
  facts: MetricFacts,
  signal: AbortSignal,
): Promise<MetricOutcome> {
  const failed = (why: string): MetricOutcome =>
    failure('FailedGetExternalMetric', why, `failed to get ${metric.name} external metric value`);
  const { namespace } = facts;
  const used = await sources.external({ namespace, metric }, signal);
  const selected = metric.selector ? JSON.stringify(metric.selector) : 'nil';
  if (!used.ok) return failed(`unable to get external metric ${namespace}/${metric.name}/${selected}: ${used.why}`);
  const found = shared(used.value, target, facts);
  if (!found.ok) return failed(found.why);
  const { replicas, current } = found.value;
  const name = `external metric ${metric.name}(${selected})`;
  return { ok: true, replicas, name, status: { type: 'External', external: { metric, current } } };
}

/** One number for all pods: against a value as a whole, or against a value per pod. */
function shared(
  used: number,
  target: MetricTarget,
  { pods, specReplicas, statusReplicas }: MetricFacts,
): Result<{ replicas: number; current: MetricValueStatus }> {
  const [whole, perPod] = [milli(target.value), milli(target.averageValue)];
  if (whole) {
    const ready = pods.filter((pod) => pod.status?.phase === 'Running' && isReady(pod)).length;
    const replicas = proposeByRatio(specReplicas, used / whole, ready);
    return value({ replicas, current: { value: amount(used) } });
  }
  if (perPod) {
    const { replicas, average } = proposePerPod(statusReplicas, used, perPod);
    return value({ replicas, current: { averageValue: amount(average) } });
  }
  return none('invalid metric source: neither a value target nor an average value target was set');
}

const podFactsOf = (facts: MetricFacts, readings: PodReadings, resource: string): PodFacts => ({
  current: facts.specReplicas,
  pods: facts.pods,
  readings,
  resource,
  now: facts.now,
});

const failure = (reason: string, why: string, what: string): MetricOutcome => ({
  ok: false,
  reason,
  why,
  whatFailed: `${what}: ${why}`,
});

const amount = (millis: number): string => formatQuantity(quantityOfMillis(millis));
