import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { amountsOf } from '@kedge/model/k8s-scheduling';
import type { Node, Pod, PodSpec } from '@kedge/model/k8s-types';
import { planAdmission } from './plan-admission.ts';

const critical = 2_000_001_000;

interface Ask {
  readonly cpu?: string;
  readonly limit?: string;
  readonly hostPort?: number;
  readonly spec?: Partial<PodSpec>;
}

function pod(name: string, { cpu, limit, hostPort, spec }: Ask = {}): Pod {
  const resources = {
    ...(cpu ? { requests: { cpu, ...(limit ? { memory: '1Mi' } : {}) } } : {}),
    ...(limit ? { limits: { cpu: limit, memory: '1Mi' } } : {}),
  };
  const ports = hostPort ? [{ containerPort: 80, hostPort }] : [];
  return {
    metadata: { name, namespace: 'default', uid: name },
    spec: { containers: [{ name: 'main', resources, ports }], ...spec },
  };
}

const node: Node = { metadata: { name: 'edge-1', labels: { zone: 'north' } } };
const allocatable = amountsOf({ cpu: '2', memory: '1Gi', pods: '4' });
const decide = (candidate: Pod, others: readonly Pod[] = [], known: Node | undefined = node): string => {
  const verdict = planAdmission({ pod: candidate, others, allocatable, node: known });
  if (verdict.do === 'admit') return 'admitted';
  if (verdict.do === 'refuse') return `${verdict.refusal.reason}: ${verdict.refusal.message}`;
  return `after ${verdict.victims.map(({ metadata }) => metadata.name).join(' ')}`;
};
const system = { spec: { priority: critical } };

describe('a pod that is new on the node', () => {
  const table: [what: string, candidate: Pod, others: Pod[], said: string][] = [
    ['fits', pod('a', { cpu: '500m' }), [pod('b', { cpu: '1500m' })], 'admitted'],
    [
      'asks for more than is left',
      pod('a', { cpu: '501m' }),
      [pod('b', { cpu: '1500m' })],
      "OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu, requested: 501, used: 1500, capacity: 2000",
    ],
    [
      'is one too many',
      pod('a'),
      ['b', 'c', 'd', 'e'].map((name) => pod(name)),
      "OutOfpods: Pod was rejected: Node didn't have enough resource: pods, requested: 1, used: 4, capacity: 4",
    ],
    [
      'wants a resource that is not counted here',
      pod('a', { spec: { overhead: { 'example.com/x': '3' } } }),
      [],
      'admitted',
    ],
    [
      'wants another node',
      pod('a', { spec: { nodeSelector: { zone: 'south' } } }),
      [],
      "NodeAffinity: Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ],
    [
      'wants a port that is taken',
      pod('a', { hostPort: 80 }),
      [pod('b', { hostPort: 80 })],
      "NodePorts: Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports (TCP 80)",
    ],
    ['wants another port', pod('a', { hostPort: 81 }), [pod('b', { hostPort: 80 })], 'admitted'],
    [
      'counts as a whole where it says so',
      pod('a', { cpu: '100m', spec: { resources: { requests: { cpu: '3' } } } }),
      [],
      "OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000",
    ],
  ];
  for (const [what, candidate, others, said] of table) {
    test(what, () => assert.equal(decide(candidate, others), said));
  }

  test('is not judged by labels that are not known', () => {
    assert.equal(
      planAdmission({
        pod: pod('a', { spec: { nodeSelector: { zone: 'south' } } }),
        others: [],
        allocatable,
        node: undefined,
      }).do,
      'admit',
    );
  });
});

describe('a critical pod', () => {
  const table: [what: string, candidate: Pod, others: Pod[], said: string][] = [
    ['needs no room made where there is some', pod('a', { cpu: '1', ...system }), [pod('b', { cpu: '1' })], 'admitted'],
    [
      'takes the place of what has made no promise',
      pod('a', { cpu: '1', ...system }),
      [pod('whole', { cpu: '1', limit: '1' }), pod('part', { cpu: '1' })],
      'after part',
    ],
    [
      'takes no more than it needs, of the less important',
      pod('a', { cpu: '1', ...system }),
      [pod('low', { cpu: '1', spec: { priority: 1 } }), pod('high', { cpu: '1', spec: { priority: 9 } })],
      'after low',
    ],
    [
      'leaves those alone whose end would not help',
      pod('a', { cpu: '1', ...system }),
      [pod('idle'), pod('busy', { cpu: '2' })],
      'after busy',
    ],
    [
      'does not take the place of another one',
      pod('a', { cpu: '1', ...system }),
      [pod('b', { cpu: '2', ...system })],
      "OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu, requested: 1000, used: 2000, capacity: 2000",
    ],
  ];
  for (const [what, candidate, others, said] of table) {
    test(what, () => assert.equal(decide(candidate, others), said));
  }
});
