// What the hub counts: one set for all nodes, so that a large fleet costs no more than a small one.
import type { Counter, Gauge, Metrics } from '@kedge/core/metrics';

export interface HubMetrics {
  readonly sessions: Gauge;
  readonly pushes: Counter;
  readonly repeats: Counter;
  readonly acknowledgements: Counter;
  readonly refusals: Counter;
  readonly traffic: Counter;
}

export const createHubMetrics = (metrics: Metrics): HubMetrics => ({
  sessions: metrics.gauge('kedge_cloudhub_sessions', 'Nodes that are connected.'),
  pushes: metrics.counter('kedge_cloudhub_pushes_total', 'Objects sent to nodes, each version once.'),
  repeats: metrics.counter('kedge_cloudhub_repeats_total', 'Objects sent again because no answer came.'),
  acknowledgements: metrics.counter('kedge_cloudhub_acknowledgements_total', 'Objects that nodes have on disk.'),
  refusals: metrics.counter('kedge_cloudhub_refusals_total', 'Objects that nodes could not take.'),
  traffic: metrics.counter('kedge_link_bytes_total', 'Bytes on the links to nodes.'),
});
