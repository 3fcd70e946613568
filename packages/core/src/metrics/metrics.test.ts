// Metrics in the Prometheus text format.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMetrics } from '@kedge/core/metrics';

describe('metrics', () => {
  test('counters and gauges are written with their labels, whatever order those come in', () => {
    const metrics = createMetrics();
    const sent = metrics.counter('kedge_sent_total', 'Messages sent.');
    sent.add();
    sent.add(2, { kind: 'put', node: 'a' });
    sent.add(1, { node: 'a', kind: 'put' });
    const nodes = metrics.gauge('kedge_nodes', 'Nodes online.');
    nodes.set(7);
    nodes.set(5);
    assert.equal(
      metrics.format(),
      [
        '# HELP kedge_sent_total Messages sent.',
        '# TYPE kedge_sent_total counter',
        'kedge_sent_total 1',
        'kedge_sent_total{kind="put",node="a"} 3',
        '# HELP kedge_nodes Nodes online.',
        '# TYPE kedge_nodes gauge',
        'kedge_nodes 5',
        '',
      ].join('\n'),
    );
  });

  test('a histogram counts into every bucket that is large enough', () => {
    const metrics = createMetrics();
    const took = metrics.histogram('took', 'Seconds.', [1, 0.1]);
    for (const value of [0.05, 0.1, 0.5, 3]) took.observe(value, { verb: 'get' });
    assert.deepEqual(metrics.format().split('\n').slice(2, -1), [
      'took_bucket{verb="get",le="0.1"} 2',
      'took_bucket{verb="get",le="1"} 3',
      'took_bucket{verb="get",le="+Inf"} 4',
      'took_sum{verb="get"} 3.65',
      'took_count{verb="get"} 4',
    ]);
  });

  test('odd characters are escaped', () => {
    const metrics = createMetrics();
    metrics.counter('a', 'back\\slash\nand line').add(1, { path: 'say "hi"\\\n' });
    assert.match(metrics.format(), /# HELP a back\\\\slash\\nand line\n/);
    assert.ok(metrics.format().includes('a{path="say \\"hi\\"\\\\\\n"} 1\n'));
  });

  test('the same name is the same metric, unless it is of another type', () => {
    const metrics = createMetrics();
    metrics.counter('a', 'A.').add();
    metrics.counter('a', 'A.').add();
    assert.match(metrics.format(), /^a 2$/m);
    assert.throws(() => metrics.gauge('a', 'A.'), /a is a counter already/);
  });

  test('label values cannot fill the memory', () => {
    const metrics = createMetrics();
    const counter = metrics.counter('a', 'A.');
    for (let n = 0; n < 5_000; n += 1) counter.add(1, { path: `/${n}` });
    counter.add(1, { path: '/0' });
    const lines = metrics.format().trim().split('\n');
    assert.equal(lines.length, 1_002);
    assert.ok(lines.includes('a{path="/0"} 2'));
  });
});
