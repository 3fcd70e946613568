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
  Object.keys(labels)
    .sort()
    .map((name) => `${name}="${escape(labels[name]!)}"`)
    .join(',');

/** What a metric has counted so far, one entry per combination of labels. */
class Series<T> {
  readonly #entries = new Map<string, T>();
  readonly #create: () => T;

  constructor(create: () => T) {
    this.#create = create;
  }

  /** The entry of these labels; undefined when there are too many others already. */
  at(labels: Readonly<Record<string, string>> | undefined): T | undefined {
    const key = labelKey(labels);
    let entry = this.#entries.get(key);
    if (entry === undefined && this.#entries.size < seriesLimit) this.#entries.set(key, (entry = this.#create()));
    return entry;
  }

  [Symbol.iterator](): IterableIterator<[string, T]> {
    return this.#entries.entries();
  }
}

interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly handle: Counter | Gauge | Histogram;
  readonly lines: () => string[];
}

const sample = (name: string, labels: string, value: number): string =>
  `${name}${labels ? `{${labels}}` : ''} ${value}`;

function simple<H extends Counter | Gauge>(
  name: string,
  type: 'counter' | 'gauge',
  toHandle: (series: Series<{ value: number }>) => H,
): Metric {
  const series = new Series(() => ({ value: 0 }));
  return {
    type,
    handle: toHandle(series),
    lines: () => [...series].map(([labels, { value }]) => sample(name, labels, value)),
  };
}

function histogram(name: string, buckets: readonly number[]): Metric {
  const bounds = [...buckets].sort((a, b) => a - b);
  const series = new Series(() => ({ below: bounds.map(() => 0), sum: 0, count: 0 }));
  return {
    type: 'histogram',
    handle: {
      observe(value, labels) {
        const entry = series.at(labels);
        if (!entry) return;
        bounds.forEach((bound, n) => {
          if (value <= bound) entry.below[n]! += 1;
        });
        entry.sum += value;
        entry.count += 1;
      },
    },
    lines: () =>
      [...series].flatMap(([labels, { below, sum, count }]) => {
        const bucket = (le: string, value: number) =>
          sample(`${name}_bucket`, `${labels ? `${labels},` : ''}le="${le}"`, value);
        return [
          ...bounds.map((bound, n) => bucket(String(bound), below[n]!)),
          bucket('+Inf', count),
          sample(`${name}_sum`, labels, sum),
          sample(`${name}_count`, labels, count),
        ];
      }),
  };
}

export function createMetrics(): Metrics {
  const metrics = new Map<string, Metric & { readonly help: string }>();

  /** Asking twice gives the same metric: two modules may count the same thing. */
  function register(name: string, help: string, created: Metric): Metric['handle'] {
    const known = metrics.get(name);
    if (known && known.type !== created.type) throw new Error(`metric ${name} is a ${known.type} already`);
    if (!known) metrics.set(name, { ...created, help });
    return (known ?? created).handle;
  }

  return {
    counter: (name, help) =>
      register(
        name,
        help,
        simple(name, 'counter', (series) => ({
          add(amount = 1, labels) {
            const entry = series.at(labels);
            if (entry) entry.value += amount;
          },
        })),
      ) as Counter,
    gauge: (name, help) =>
      register(
        name,
        help,
        simple(name, 'gauge', (series) => ({
          set(value, labels) {
            const entry = series.at(labels);
            if (entry) entry.value = value;
          },
        })),
      ) as Gauge,
    histogram: (name, help, buckets) => register(name, help, histogram(name, buckets)) as Histogram,
    format: () =>
      [...metrics]
        .flatMap(([name, { type, help, lines }]) => [
          `# HELP ${name} ${help.replace(/[\\\n]/g, (c) => (c === '\n' ? '\\n' : '\\\\'))}`,
          `# TYPE ${name} ${type}`,
          ...lines(),
        ])
        .map((line) => `${line}\n`)
        .join(''),
  };
}
