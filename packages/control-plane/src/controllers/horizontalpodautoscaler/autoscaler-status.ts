// What an autoscaler says about itself while one look goes on: conditions are set as things are found out. Pure.
import { type Instant, toTime } from '@kedge/core/time';
import { setCondition } from '@kedge/model/k8s';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerCondition,
  HorizontalPodAutoscalerStatus,
  MetricStatus,
} from '@kedge/model/k8s-types';

export type ConditionType = 'AbleToScale' | 'ScalingActive' | 'ScalingLimited';

export class AutoscalerReport {
  readonly #now: Instant;
  readonly #before: HorizontalPodAutoscalerStatus | undefined;
  #conditions: readonly HorizontalPodAutoscalerCondition[];

  constructor({ status }: HorizontalPodAutoscaler, now: Instant) {
    this.#now = now;
    this.#before = status;
    this.#conditions = status?.conditions ?? [];
  }

  say(type: ConditionType, status: 'True' | 'False', reason: string, message: string): void {
    this.#conditions = setCondition(this.#conditions, { type, status, reason, message }, this.#now);
  }

  /** The numbers and metrics of before where there are no new ones. */
  status(news: {
    readonly current?: number;
    readonly desired?: number;
    readonly metrics?: readonly MetricStatus[];
    readonly rescaled?: boolean;
  }): HorizontalPodAutoscalerStatus {
    const before = this.#before;
    const metrics = news.metrics ?? before?.currentMetrics;
    const lastScaleTime = news.rescaled ? toTime(this.#now) : before?.lastScaleTime;
    const current = news.current ?? before?.currentReplicas;
    return {
      ...(before?.observedGeneration === undefined ? {} : { observedGeneration: before.observedGeneration }),
      ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
      ...(current === undefined ? {} : { currentReplicas: current }),
      desiredReplicas: news.desired ?? before?.desiredReplicas ?? 0,
      ...(metrics?.length ? { currentMetrics: [...metrics] } : {}),
      ...(this.#conditions.length > 0 ? { conditions: [...this.#conditions] } : {}),
    };
  }
}
