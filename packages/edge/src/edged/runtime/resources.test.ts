// CPU and memory in the kernel's units, and where a pod's cgroup is.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Container, Pod, ResourceRequirements } from '@kedge/model/k8s-types';
import { qosClassOf } from '../pod/pod-spec.ts';
import { linuxResources, podCgroup } from './resources.ts';

const container = (resources: ResourceRequirements = {}): Container => ({ name: 'main', image: 'a', resources });
const podOf = (...containers: Container[]): Pod => ({ metadata: { name: 'p', uid: 'u-1' }, spec: { containers } });
const guaranteed = container({ limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Gi' } });

describe('the resources of a container', () => {
  const cases: [string, ResourceRequirements, Partial<Record<string, bigint>>][] = [
    [
      'nothing asked: the smallest share',
      {},
      { cpuShares: 2n, cpuQuota: 0n, memoryLimitInBytes: 0n, oomScoreAdj: 1_000n },
    ],
    ['a request is a share', { requests: { cpu: '250m' } }, { cpuShares: 256n, cpuQuota: 0n }],
    ['a limit is a quota, and a share too', { limits: { cpu: '1500m' } }, { cpuShares: 1_536n, cpuQuota: 150_000n }],
    ['a tiny limit is the least the kernel takes', { limits: { cpu: '1m' } }, { cpuQuota: 1_000n }],
    ['memory in bytes', { limits: { memory: '64Mi' } }, { memoryLimitInBytes: 67_108_864n }],
    ['who asks for half the memory goes later', { requests: { memory: '2Gi' } }, { oomScoreAdj: 500n }],
  ];
  for (const [what, resources, expected] of cases) {
    test(what, () => {
      const one = container(resources);
      const actual = linuxResources(one, { pod: podOf(one), memoryCapacity: 4 * 1_024 ** 3 });
      for (const [field, value] of Object.entries(expected)) {
        assert.equal(actual[field as keyof typeof actual], value, field);
      }
    });
  }
});

describe('the class of a pod and its cgroup', () => {
  const cases: [string, Pod, string, string, string][] = [
    ['nothing asked', podOf(container()), 'BestEffort', '/k/besteffort/podu-1', 'k-besteffort-podu_1.slice'],
    ['something asked', podOf(guaranteed, container()), 'Burstable', '/k/burstable/podu-1', 'k-burstable-podu_1.slice'],
    ['limits for everything', podOf(guaranteed), 'Guaranteed', '/k/podu-1', 'k-podu_1.slice'],
    [
      'limits that are written in another way than requests',
      podOf(container({ limits: { cpu: '1', memory: '1Ki' }, requests: { cpu: '1000m', memory: '1024' } })),
      'Guaranteed',
      '/k/podu-1',
      'k-podu_1.slice',
    ],
    [
      'zero, written at length',
      podOf(container({ requests: { cpu: '0m', memory: '0Mi' } })),
      'BestEffort',
      '/k/besteffort/podu-1',
      'k-besteffort-podu_1.slice',
    ],
    [
      'somebody looks into it',
      { ...podOf(guaranteed), spec: { containers: [guaranteed], ephemeralContainers: [{ name: 'debug' }] } },
      'Guaranteed',
      '/k/podu-1',
      'k-podu_1.slice',
    ],
    [
      'limits alone are requests too',
      podOf(container({ limits: { cpu: '1', memory: '1' } })),
      'Guaranteed',
      '/k/podu-1',
      'k-podu_1.slice',
    ],
  ];
  for (const [what, pod, qos, path, slice] of cases) {
    test(`${what}: ${qos}`, () => {
      assert.equal(qosClassOf(pod), qos);
      assert.equal(podCgroup(pod, { cgroupRoot: '/k', cgroupDriver: 'cgroupfs' }), path);
      assert.equal(podCgroup(pod, { cgroupRoot: '/k', cgroupDriver: 'systemd' }), slice);
    });
  }
});
