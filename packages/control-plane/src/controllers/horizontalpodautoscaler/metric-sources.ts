// Reads metrics by way of the API: of pods from metrics.k8s.io, others from custom.metrics.k8s.io and
// external.metrics.k8s.io where somebody serves those.
import { type Instant, parseDuration, parseTime, seconds } from '@kedge/core/time';
import { explain } from '@kedge/core/errors';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { parseQuantity, quantityMillis } from '@kedge/model/k8s-quantity';
import { formatLabelSelector, labelSelectorOf } from '@kedge/model/k8s-selectors';
import type { MetricIdentifier } from '@kedge/model/k8s-types';
import type { PodReading, PodReadings } from './pod-groups.ts';
import { none, type Result, value } from './replica-proposal.ts';

const podMetrics = { group: 'metrics.k8s.io', version: 'v1beta1', resource: 'pods' };
/** The window of custom metrics that name none. */
const usualWindow = seconds(60);
const maxItems = 10_000;

/** What the API of resource metrics says of a pod. */
interface PodMetrics extends KubeObject {
  readonly timestamp: string;
  readonly window: string;
  readonly containers: readonly { readonly name: string; readonly usage: Readonly<Record<string, string>> }[];
}

interface MetricItem {
  readonly describedObject?: { readonly name: string };
  readonly timestamp?: string;
  readonly windowSeconds?: number;
  readonly value: string;
}

export interface MetricSources {
  /** Usage by pod; of one container of each when named. */
  resource(
    of: { readonly namespace: string; readonly selector: string; readonly name: string; readonly container?: string },
    signal: AbortSignal,
  ): Promise<Result<PodReadings>>;
  pods(
    of: { readonly namespace: string; readonly selector: string; readonly metric: MetricIdentifier },
    signal: AbortSignal,
  ): Promise<Result<PodReadings>>;
  /** `path` names the object: `services/web`. */
  object(
    of: { readonly namespace: string; readonly path: string; readonly metric: MetricIdentifier },
    signal: AbortSignal,
  ): Promise<Result<number>>;
  /** The sum over all series that match. */
  external(
    of: { readonly namespace: string; readonly metric: MetricIdentifier },
    signal: AbortSignal,
  ): Promise<Result<number>>;
}

export function createMetricSources({ api, now }: { api: KubeApi; now: () => Instant }): MetricSources {
  async function ask(path: string, group: string, kind: string, signal: AbortSignal): Promise<Result<MetricItem[]>> {
    const unable = `unable to fetch metrics from ${kind} metrics API: `;
    try {
      const { status, body } = await api.raw(path, { signal });
      if (status === 404 && !(await isServed(group, signal)))
        return none(`${unable}no ${kind} metrics API (${group}) registered`);
      if (status !== 200) return none(`${unable}${messageIn(body) ?? `HTTP ${status}`}`);
      const { items } = JSON.parse(body) as { items?: MetricItem[] };
      return value((items ?? []).slice(0, maxItems));
    } catch (error) {
      if (signal.aborted) throw error;
      return none(`${unable}${explain(error)}`);
    }
  }
  const isServed = async (group: string, signal: AbortSignal): Promise<boolean> =>
    (await api.raw(`/apis/${group}`, { signal })).status === 200;

  return {
    async resource({ namespace, selector, name, container }, signal) {
      let items: readonly PodMetrics[];
      try {
        items = (await api.list(podMetrics, { namespace, labelSelector: selector }, { signal }))
          .items as unknown as PodMetrics[];
      } catch (error) {
        if (signal.aborted) throw error;
        return none(`unable to fetch metrics from resource metrics API: ${explain(error)}`);
      }
      const readings = new Map<string, PodReading>();
      for (const pod of items) {
        const amount = usedBy(pod, name, container);
        const at = parseTime(pod.timestamp);
        if (amount === undefined || at === undefined) continue;
        readings.set(pod.metadata.name ?? '', { value: amount, at, window: parseDuration(pod.window) ?? usualWindow });
      }
      return readings.size > 0 ? value(readings) : none('no metrics returned from resource metrics API');
    },
    async pods({ namespace, selector, metric }, signal) {
      const query = new URLSearchParams({ labelSelector: selector, ...selectorOf('metricLabelSelector', metric) });
      const path = `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/pods/*/${part(metric.name)}?${query}`;
      const answer = await ask(path, 'custom.metrics.k8s.io', 'custom', signal);
      if (!answer.ok) return answer;
      const readings = new Map<string, PodReading>();
      for (const item of answer.value) {
        const amount = milli(item.value);
        const { timestamp, windowSeconds, describedObject } = item;
        if (amount === undefined || !describedObject) continue;
        readings.set(describedObject.name, {
          value: amount,
          at: parseTime(timestamp) ?? now(),
          window: windowSeconds === undefined ? usualWindow : seconds(windowSeconds),
        });
      }
      return readings.size > 0 ? value(readings) : none('no metrics returned from custom metrics API');
    },
    async object({ namespace, path: object, metric }, signal) {
      const query = new URLSearchParams(selectorOf('metricLabelSelector', metric));
      const path = `/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/${object}/${part(metric.name)}?${query}`;
      const answer = await ask(path, 'custom.metrics.k8s.io', 'custom', signal);
      if (!answer.ok) return answer;
      const amount = milli(answer.value[0]?.value);
      return amount === undefined ? none('no metrics returned from custom metrics API') : value(amount);
    },
    async external({ namespace, metric }, signal) {
      const query = new URLSearchParams(selectorOf('labelSelector', metric));
      const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${part(metric.name)}?${query}`;
      const answer = await ask(path, 'external.metrics.k8s.io', 'external', signal);
      if (!answer.ok) return answer;
      const amounts = answer.value.flatMap((item) => milli(item.value) ?? []);
      if (amounts.length === 0) return none('no metrics returned from external metrics API');
      return value(amounts.reduce((sum, one) => sum + one, 0));
    },
  };
}

/** Undefined when the pod lacks the container, or a container the resource. */
function usedBy({ containers }: PodMetrics, name: string, container: string | undefined): number | undefined {
  const counted = container === undefined ? containers : containers.filter((one) => one.name === container);
  if (counted.length === 0) return undefined;
  let sum = 0;
  for (const { usage } of counted) {
    const amount = milli(usage[name]);
    if (amount === undefined) return undefined;
    sum += amount;
  }
  return sum;
}

/** A quantity in thousandths. */
export function milli(text: string | undefined): number | undefined {
  const parsed = text === undefined ? undefined : parseQuantity(text);
  return parsed && Number(quantityMillis(parsed));
}

const part = (name: string): string => encodeURIComponent(name);

const selectorOf = (parameter: string, { selector }: MetricIdentifier): Record<string, string> =>
  selector ? { [parameter]: formatLabelSelector(labelSelectorOf(selector)) } : {};

function messageIn(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { message?: string }).message;
  } catch {
    return undefined;
  }
}
