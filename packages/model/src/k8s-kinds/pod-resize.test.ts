import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../k8s-types/index.ts';
import { checkPodResize, resizedPod } from './index.ts';

const cpuAndMemory = (cpu: string, memory: string): Record<string, string> => ({ cpu, memory });
const requests = cpuAndMemory('100m', '32Mi');
const limits = cpuAndMemory('1', '64Mi');
const burstable: ResourceRequirements = { requests, limits };
const main = (resources: ResourceRequirements = burstable, more: Partial<Container> = {}): Container => ({
  name: 'main',
  image: 'busybox:1',
  resources,
  ...more,
});
const pod = (spec: Partial<PodSpec> = {}, annotations?: Record<string, string>): Pod => ({
  metadata: { name: 'web', labels: { app: 'web' }, resourceVersion: '7', ...(annotations ? { annotations } : {}) },
  spec: { containers: [main()], ...spec },
  status: { phase: 'Running' },
});

describe('a resized pod', () => {
  it('has the resources and policies of the wanted one, and nothing else of it', () => {
    const resizePolicy = [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }];
    const larger = { ...burstable, requests: cpuAndMemory('200m', '48Mi') };
    const wanted = pod({ hostNetwork: true, containers: [main(larger, { image: 'other:1', resizePolicy })] });
    wanted.metadata = { name: 'web', labels: { app: 'other' }, resourceVersion: '6' };
    assert.deepEqual(resizedPod(wanted, pod()), {
      metadata: { name: 'web', labels: { app: 'web' }, resourceVersion: '6' },
      spec: { containers: [main(larger, { resizePolicy })] },
      status: { phase: 'Running', resize: 'Proposed' },
    });
  });

  it('is as before where no resources differ', () => assert.deepEqual(resizedPod(pod(), pod()), pod()));

  it('has other resources for sidecars, not for init containers that run once', () => {
    const inits = (resources: ResourceRequirements): Container[] => [
      main(resources, { name: 'once' }),
      main(resources, { name: 'sidecar', restartPolicy: 'Always' }),
    ];
    const larger = { ...burstable, limits: cpuAndMemory('2', '64Mi') };
    const { spec } = resizedPod(pod({ initContainers: inits(larger) }), pod({ initContainers: inits(burstable) }));
    assert.deepEqual(
      spec!.initContainers!.map(({ resources }) => resources),
      [burstable, larger],
    );
  });
});

describe('a resize', () => {
  const fits = (resources: ResourceRequirements): Partial<PodSpec> => ({ containers: [main(resources)] });
  const removed = (part: string): string =>
    `spec.containers[0].resources.${part}: Forbidden: resource ${part} cannot be removed`;
  const onlySize = 'Forbidden: only cpu and memory resources are mutable';
  const table: [what: string, to: Partial<PodSpec>, says: string[], from?: Pod][] = [
    ['to more', fits({ requests, limits: cpuAndMemory('2', '1Gi') }), []],
    ['to less', fits({ requests, limits: cpuAndMemory('500m', '32Mi') }), []],
    ['that adds a limit', fits(burstable), [], pod(fits({ requests, limits: { cpu: '1' } }))],
    ['that takes a limit away', fits({ requests, limits: { cpu: '1' } }), [removed('limits')]],
    ['that takes a request away', fits({ limits, requests: { cpu: '100m' } }), [removed('requests')]],
    [
      'of anything else',
      fits({ limits, requests: { ...requests, 'ephemeral-storage': '1Gi' } }),
      [`spec.containers[0].resources: ${onlySize}`],
    ],
    [
      'to another QoS class',
      fits({ limits, requests: limits }),
      ['spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing'],
    ],
    ['that somebody has added more to', { hostNetwork: true }, [`spec: ${onlySize}`]],
    [
      'with another container',
      { containers: [main(), main(burstable, { name: 'more' })] },
      ['spec.containers: Forbidden: containers may not be added, removed or reordered'],
    ],
    [
      'of a static pod',
      {},
      [': Forbidden: static pods cannot be resized'],
      pod({}, { 'kubernetes.io/config.mirror': 'x' }),
    ],
    ['of a pod for Windows', {}, [': Forbidden: windows pods cannot be resized'], pod({ os: { name: 'windows' } })],
    [
      'of a pod with resources as a whole',
      {},
      [': Forbidden: pods with pod-level resources cannot be resized'],
      pod({ resources: burstable }),
    ],
  ];
  for (const [what, to, says, from = pod()] of table) {
    it(`${what} is ${says.length === 0 ? 'taken' : 'refused'}`, () => {
      const found = checkPodResize(pod(to), from).map(({ field, message }) => `${field}: ${message}`);
      assert.deepEqual(found, says);
    });
  }
});
