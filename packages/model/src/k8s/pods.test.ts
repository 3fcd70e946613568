import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatQuantity } from '../k8s-quantity/index.ts';
import { isPodActive, isPodReady, isPodTerminal, podRequests, qosClass } from './index.ts';
import type { PodLike, ResourceAmounts } from './index.ts';

type Spec = NonNullable<PodLike['spec']>;
type Container = Spec['containers'][number];

const pod = (spec: Partial<Spec>): PodLike => ({ metadata: { name: 'p' }, spec: { containers: [], ...spec } });
const asks = (
  name: string,
  requests: Record<string, string>,
  limits: Record<string, string> = {},
  restartPolicy?: string,
): Container => ({
  name,
  resources: { requests, limits },
  ...(restartPolicy ? { restartPolicy } : {}),
});
const plain = (amounts: ResourceAmounts): object =>
  Object.fromEntries([...amounts].map(([name, amount]) => [name, formatQuantity(amount)]));

describe('pod requests', () => {
  const cases: readonly [string, Partial<Spec>, object][] = [
    ['nothing asked is nothing needed', {}, {}],
    [
      'containers add up',
      { containers: [asks('a', { cpu: '500m' }), asks('b', { cpu: '1', memory: '1Gi' })] },
      { cpu: '1500m', memory: '1Gi' },
    ],
    [
      'a limit stands in for a missing request',
      { containers: [asks('a', {}, { memory: '64Mi' })] },
      { memory: '64Mi' },
    ],
    [
      'a hungry init container counts when it is more than the rest',
      {
        initContainers: [asks('i', { cpu: '2' }), asks('j', { cpu: '1' })],
        containers: [asks('a', { cpu: '500m', memory: '1Mi' })],
      },
      { cpu: '2', memory: '1Mi' },
    ],
    [
      'a sidecar runs beside the containers and the init containers after it',
      {
        initContainers: [asks('s', { cpu: '1' }, {}, 'Always'), asks('i', { cpu: '2' })],
        containers: [asks('a', { cpu: '500m' })],
      },
      { cpu: '3' },
    ],
    ['overhead is added', { containers: [asks('a', { cpu: '1' })], overhead: { cpu: '250m' } }, { cpu: '1250m' }],
  ];
  for (const [sentence, spec, needed] of cases) {
    it(sentence, () => assert.deepEqual(plain(podRequests(pod(spec))), needed));
  }
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
