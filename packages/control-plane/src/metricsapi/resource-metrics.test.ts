import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assert as holdsFor, property, string } from 'fast-check';
import { instant } from '@kedge/core/time';
import { parseResourceMetrics } from './resource-metrics.ts';
import { UsageHistory } from './usage-history.ts';

const container = (name: string, cpu: number, memory: number, at: number): string =>
  `container_cpu_usage_seconds_total{container="${name}",namespace="shop",pod="web-0"} ${cpu} ${at}
container_memory_working_set_bytes{container="${name}",namespace="shop",pod="web-0"} ${memory} ${at}
`;
const node = (cpu: number, memory: string, at: number): string => `# HELP node_cpu_usage_seconds_total [STABLE] CPU
# TYPE node_cpu_usage_seconds_total counter
node_cpu_usage_seconds_total ${cpu} ${at}
node_memory_working_set_bytes ${memory} ${at}
`;
const read = (text: string) => parseResourceMetrics(text, instant(5_000));

test('reads nodes and containers, with and without times, and skips everything else', () => {
  const { node: of, pods } = read(
    `${node(1.5, '1.048576e+06', 1_000)}${container('main', 0.25, 2_048, 2_000)}scrape_error 0
container_start_time_seconds{container="main",namespace="shop",pod="web-0"} 1.7e+09
pod_cpu_usage_seconds_total{namespace="shop",pod="web-0"} 9
node_swap_usage_bytes NaN
garbage {{{ "
constructor 1
`,
  );
  assert.deepEqual(of, { at: 1_000, cpuSeconds: 1.5, memoryBytes: 1_048_576 });
  assert.deepEqual([...pods.get('shop/web-0')!], [['main', { at: 2_000, cpuSeconds: 0.25, memoryBytes: 2_048 }]]);
  assert.equal(read('node_cpu_usage_seconds_total 1\nnode_memory_working_set_bytes 2').node?.at, 5_000);
});

test('a half reading is none, and a pod with a half container is left out', () => {
  assert.equal(read('node_cpu_usage_seconds_total 1').node, undefined);
  const half = 'container_cpu_usage_seconds_total{container="b",namespace="shop",pod="web-0"} 1\n';
  assert.equal(read(container('a', 1, 1, 1) + half).pods.size, 0);
});

test('labels may hold anything that can be escaped', () => {
  const text = `container_cpu_usage_seconds_total{container="a}\\"b\\\\",namespace="n",pod="p"} 1
container_memory_working_set_bytes{pod="p",container="a}\\"b\\\\",namespace="n"} 1
`;
  assert.deepEqual([...read(text).pods.get('n/p')!.keys()], ['a}"b\\']);
});

test('no text makes it throw', () => {
  holdsFor(
    property(string(), string(), (a, b) => {
      read(`node_cpu_usage_seconds_total{${a}} ${b}\n${a}\ncontainer_cpu_usage_seconds_total{pod="${a}"} ${b}`);
    }),
  );
});

test('usage is the rate between two readings; repeated and restarted counters give none', () => {
  const history = new UsageHistory();
  const add = (text: string) => history.add(read(text));
  add(node(10, '100', 1_000) + container('main', 5, 100, 1_000));
  assert.equal(history.node(), undefined);
  add(node(10, '100', 1_000) + container('main', 5, 100, 1_000));
  assert.equal(history.node(), undefined);
  add(node(13, '200', 16_000) + container('main', 6.5, 300, 11_000));
  assert.deepEqual(history.node(), { at: 16_000, window: 15_000, cpuNanos: 200_000_000, memoryBytes: 200 });
  assert.equal(history.pod('shop/web-0')?.get('main')?.cpuNanos, 150_000_000);
  add(node(14, '200', 31_000) + container('main', 0.1, 300, 31_000));
  assert.equal(history.pod('shop/web-0'), undefined);
  add(node(15, '200', 46_000));
  assert.equal(history.pod('shop/web-0'), undefined);
});
