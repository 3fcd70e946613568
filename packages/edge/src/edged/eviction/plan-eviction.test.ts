// When a node is under pressure and when something has to go, as a table over time.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { instant, minutes, seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import { type EvictionMemory, noEvictionMemory, planEviction } from './plan-eviction.ts';
import { rankForEviction } from './rank-pods.ts';
import type { EvictionSettings, EvictionSignal, Readings, Threshold } from './thresholds.ts';

const threshold = (signal: EvictionSignal, units: number, more: Partial<Threshold> = {}): Threshold => ({
  signal,
  below: { units },
  written: String(units),
  grace: seconds(0),
  reclaim: undefined,
  ...more,
});
const settings = (...thresholds: Threshold[]): EvictionSettings => ({
  thresholds,
  transitionPeriod: minutes(5),
  maxPodGraceSeconds: 30,
});
const left = (of: Partial<Record<EvictionSignal, number>>): Readings =>
  new Map(Object.entries(of).map(([signal, available]) => [signal as EvictionSignal, { available, capacity: 1_000 }]));

/** What is left at each second, to what is done then. */
function play(
  given: EvictionSettings,
  steps: readonly [at: number, of: Partial<Record<EvictionSignal, number>>][],
): string[] {
  let memory: EvictionMemory = noEvictionMemory;
  return steps.map(([at, of]) => {
    const verdict = planEviction(given, left(of), memory, instant(1_000_000 + at * 1_000));
    memory = verdict.memory;
    return `${[...verdict.pressures].sort().join('+') || 'none'} ${verdict.act?.signal ?? '-'}`;
  });
}

describe('eviction', () => {
  test('a hard threshold acts at once, and the pressure stays for a while', () => {
    assert.deepEqual(
      play(settings(threshold('memory.available', 100)), [
        [0, { 'memory.available': 500 }],
        [10, { 'memory.available': 99 }],
        [20, { 'memory.available': 100 }],
        [309, { 'memory.available': 500 }],
        [310, { 'memory.available': 500 }],
      ]),
      ['none -', 'memory memory.available', 'memory -', 'memory -', 'none -'],
    );
  });

  test('a soft threshold waits for its grace, and starts over when it was not met in between', () => {
    assert.deepEqual(
      play(settings(threshold('memory.available', 100, { grace: seconds(30) })), [
        [0, { 'memory.available': 50 }],
        [20, { 'memory.available': 50 }],
        [25, { 'memory.available': 150 }],
        [30, { 'memory.available': 50 }],
        [59, { 'memory.available': 50 }],
        [60, { 'memory.available': 50 }],
      ]),
      ['none -', 'none -', 'none -', 'none -', 'none -', 'memory memory.available'],
    );
  });

  test('reclaiming goes on until the minimum is free again', () => {
    assert.deepEqual(
      play(settings(threshold('nodefs.available', 100, { reclaim: { units: 50 } })), [
        [0, { 'nodefs.available': 90 }],
        [2, { 'nodefs.available': 120 }],
        [4, { 'nodefs.available': 150 }],
        [6, { 'nodefs.available': 120 }],
      ]),
      ['disk nodefs.available', 'disk nodefs.available', 'disk -', 'disk -'],
    );
  });

  test('memory comes before disk, disk before processes', () => {
    const all = settings(
      threshold('pid.available', 100),
      threshold('imagefs.available', 100),
      threshold('nodefs.inodesFree', 100),
      threshold('memory.available', 100),
    );
    const low = { 'pid.available': 1, 'imagefs.available': 1, 'nodefs.inodesFree': 1 };
    assert.deepEqual(
      play(all, [
        [0, { ...low, 'memory.available': 1 }],
        [2, low],
      ]),
      ['disk+memory+pid memory.available', 'disk+memory+pid nodefs.inodesFree'],
    );
  });

  test('a share is one of the capacity, and what cannot be read is no shortage', () => {
    const given = settings(
      threshold('nodefs.available', 0, { below: { share: 0.1 } }),
      threshold('imagefs.available', 100),
    );
    assert.deepEqual(
      play(given, [
        [0, { 'nodefs.available': 100 }],
        [2, { 'nodefs.available': 99 }],
      ]),
      ['none -', 'disk nodefs.available'],
    );
  });

  test('a clock that is set back neither acts too soon nor waits for ever', () => {
    assert.deepEqual(
      play(settings(threshold('memory.available', 100, { grace: seconds(30) })), [
        [0, { 'memory.available': 50 }],
        [-900, { 'memory.available': 50 }],
        [-871, { 'memory.available': 50 }],
        [-870, { 'memory.available': 50 }],
      ]),
      ['none -', 'none -', 'none -', 'memory memory.available'],
    );
  });
});

describe('who goes first', () => {
  const pod = (name: string, memory: string | undefined, priority = 0): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: name },
    spec: {
      priority,
      containers: [{ name: 'main', image: 'app', ...(memory ? { resources: { requests: { memory } } } : {}) }],
    },
  });
  const order = (pods: Pod[], usage: Record<string, number>, resource: string | undefined = 'memory'): string[] =>
    rankForEviction(pods, new Map(Object.entries(usage)), resource).map(({ metadata }) => metadata.name ?? '');

  test('those over their requests, the least important, the furthest over', () => {
    const pods = [pod('within', '100'), pod('over', '100'), pod('far-over', '100'), pod('important', undefined, 10)];
    assert.deepEqual(order(pods, { within: 50, over: 150, 'far-over': 400, important: 900 }), [
      'far-over',
      'over',
      'important',
      'within',
    ]);
  });

  test('by importance alone where nothing is requested', () => {
    assert.deepEqual(order([pod('b', undefined, 5), pod('a', undefined, 1)], {}, undefined), ['a', 'b']);
  });

  test('never what belongs to the system', () => {
    const mirror = pod('static', undefined);
    mirror.metadata.annotations = { 'kubernetes.io/config.source': 'file' };
    assert.deepEqual(order([pod('critical', undefined, 2_000_000_000), mirror, pod('plain', undefined)], {}), [
      'plain',
    ]);
  });
});
