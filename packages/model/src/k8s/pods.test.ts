import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isPodActive, isPodReady, isPodTerminal, qosClass } from './index.ts';
import type { PodLike } from './index.ts';

type Spec = NonNullable<PodLike['spec']>;
type Container = Spec['containers'][number];

const pod = (spec: Partial<Spec>): PodLike => ({ metadata: { name: 'p' }, spec: { containers: [], ...spec } });
const asks = (name: string, requests: Record<string, string>, limits: Record<string, string> = {}): Container => ({
  name,
  resources: { requests, limits },
});

describe('quality of service', () => {
  const both = { cpu: '1', memory: '1Gi' };
  const cases: readonly [string, Partial<Spec>, string][] = [
    ['a pod that asks for nothing', { containers: [{ name: 'a' }] }, 'BestEffort'],
    [
      'a pod that asks for nothing but an extended resource',
      { containers: [asks('a', { 'x.io/gpu': '1' })] },
      'BestEffort',
    ],
    ['zero requests', { containers: [asks('a', { cpu: '0' })] }, 'BestEffort'],
    ['limits alone', { containers: [asks('a', {}, both)] }, 'Guaranteed'],
    [
      'requests equal to limits in other words',
      { containers: [asks('a', { cpu: '1000m', memory: '1024Mi' }, both)] },
      'Guaranteed',
    ],
    ['a container without limits beside one with', { containers: [asks('a', {}, both), { name: 'b' }] }, 'Burstable'],
    ['requests below limits', { containers: [asks('a', { cpu: '500m' }, both)] }, 'Burstable'],
    [
      'an init container that asks for less',
      { initContainers: [{ name: 'i' }], containers: [asks('a', {}, both)] },
      'Burstable',
    ],
  ];
  for (const [sentence, spec, qos] of cases) {
    it(`${sentence} is ${qos}`, () => assert.equal(qosClass(pod(spec)), qos));
  }
});

describe('a pod', () => {
  it('is ready when its condition says so', () => {
    const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
    assert.equal(isPodReady({ metadata: {}, status }), true);
    assert.equal(isPodReady({ metadata: {} }), false);
  });

  it('is active until it ends or is deleted', () => {
    assert.equal(isPodActive({ metadata: {} }), true);
    assert.equal(isPodActive({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }), false);
    assert.equal(isPodTerminal({ metadata: {}, status: { phase: 'Failed' } }), true);
  });
});
