// Counters, gauges and histograms with a fixed set of labels each, written in the Prometheus text format.

export interface Counter {
  add(amount?: number, labels?: Readonly<Record<string, string>>): void;
}
export interface Gauge {
  set(value: number, labels?: Readonly<Record<string, string>>): void;
}
export interface Histogram {
  observe(value: number, labels?: Readonly<Record<string, string>>): void;
}

export interface Metrics {
  counter(name: string, help: string): Counter;
  gauge(name: string, help: string): Gauge;
  histogram(name: string, help: string, buckets: readonly number[]): Histogram;
  /** Prometheus text exposition format 0.0.4. */
  format(): string;
}

/** A metric with more label combinations than this stops taking new ones: memory stays bounded. */
const seriesLimit = 1_000;

const escape = (value: string): string => value.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));
const labelKey = (labels: Readonly<Record<string, string>> = {}): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}="${escape(value)}"`)
    .join(',');

class Series {
  readonly values = new Map<string, number>();
  update(key: string, change: (before: number) => number): void {
    if (!this.values.has(key) && this.values.size >= seriesLimit) return;
    this.values.set(key, change(this.values.get(key) ?? 0));
  }
}

export function createMetrics(): Metrics {
  const writers: (() => string)[] = [];
  const simple = (name: string, help: string, type: 'counter' | 'gauge'): Series => {
    const series = new Series();
    writers.push(() =>
      [
        `# HELP ${name} ${help}`,
        `# TYPE ${name} ${type}`,
        ...[...series.values].map(([key, value]) => `${name}${key ? `{${key}}` : ''} ${value}`),
      ].join('\n'),
    );
    return series;
  };
  return {
    counter(name, help) {
      const series = simple(name, help, 'counter');
      return { add: (amount = 1, labels) => series.update(labelKey(labels), (before) => before + amount) };
    },
    gauge(name, help) {
      const series = simple(name, help, 'gauge');
      return { set: (value, labels) => series.update(labelKey(labels), () => value) };
    },
    histogram(name, help, buckets) {
      const counts = new Series();
      const sums = new Series();
      const totals = new Series();
      writers.push(() =>
        [
          `# HELP ${name} ${help}`,
          `# TYPE ${name} histogram`,
          ...[...counts.values].map(([key, value]) => `${name}_bucket{${key}} ${value}`),
          ...[...sums.values].map(([key, value]) => `${name}_sum${key ? `{${key}}` : ''} ${value}`),
          ...[...totals.values].map(([key, value]) => `${name}_count${key ? `{${key}}` : ''} ${value}`),
        ].join('\n'),
      );
      return {
        observe(value, labels) {
          const key = labelKey(labels);
          for (const le of [...buckets, Infinity]) {
            const bucket = `${key ? `${key},` : ''}le="${le === Infinity ? '+Inf' : le}"`;
            counts.update(bucket, (before) => before + (value <= le ? 1 : 0));
          }
          sums.update(key, (before) => before + value);
          totals.update(key, (before) => before + 1);
        },
      };
    },
    format: () => `${writers.map((write) => write()).join('\n')}\n`,
  };
}
