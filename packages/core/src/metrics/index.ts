// Counters, gauges and histograms.
export { createMetrics } from './metrics.ts';
export type { Counter, Gauge, Histogram, Metrics } from './metrics.ts';
