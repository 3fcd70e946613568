import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ContainerStatus, Pod } from '@kedge/model/k8s-types';
import { podReason } from './pod-columns.ts';

const container = (state: ContainerStatus['state'], more: Partial<ContainerStatus> = {}): ContainerStatus => ({
  name: 'c',
  image: '',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...(state ? { state } : {}),
  ...more,
});
const pod = (status: Pod['status'], spec: Partial<NonNullable<Pod['spec']>> = {}): Pod => ({
  metadata: { name: 'p' },
  spec: { containers: [{ name: 'c' }], ...spec },
  ...(status ? { status } : {}),
});
const running = container({ running: {} }, { ready: true });
const finished = container({ terminated: { exitCode: 0, reason: 'Completed' } });
const init = { initContainers: [{ name: 'one' }, { name: 'two' }] };

describe('the status of a pod in one word', () => {
  const table: readonly [expected: string, pod: Pod][] = [
    ['Pending', pod({ phase: 'Pending' })],
    ['Evicted', pod({ phase: 'Failed', reason: 'Evicted' })],
    ['Running', pod({ phase: 'Running', containerStatuses: [running] })],
    [
      'ErrImagePull',
      pod({ phase: 'Pending', containerStatuses: [container({ waiting: { reason: 'ErrImagePull' } })] }),
    ],
    ['Completed', pod({ phase: 'Succeeded', containerStatuses: [finished] })],
    [
      'Running',
      pod({
        phase: 'Running',
        containerStatuses: [finished, running],
        conditions: [{ type: 'Ready', status: 'True' }],
      }),
    ],
    ['NotReady', pod({ phase: 'Running', containerStatuses: [finished, running] })],
    [
      'Error',
      pod({ phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 1, reason: 'Error' } })] }),
    ],
    ['ExitCode:3', pod({ phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 3 } })] })],
    [
      'Signal:9',
      pod({ phase: 'Failed', containerStatuses: [container({ terminated: { exitCode: 137, signal: 9 } })] }),
    ],
    ['Init:0/2', pod({ phase: 'Pending', initContainerStatuses: [container({ running: {} }, { name: 'one' })] }, init)],
    [
      'Init:Error',
      pod(
        {
          phase: 'Pending',
          initContainerStatuses: [container({ terminated: { exitCode: 1, reason: 'Error' } }, { name: 'one' })],
        },
        init,
      ),
    ],
    [
      'Init:CrashLoopBackOff',
      pod(
        {
          phase: 'Pending',
          initContainerStatuses: [container({ waiting: { reason: 'CrashLoopBackOff' } }, { name: 'one' })],
        },
        init,
      ),
    ],
    [
      'SchedulingGated',
      pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }),
    ],
    [
      'Terminating',
      { ...pod({ phase: 'Running' }), metadata: { name: 'p', deletionTimestamp: '2026-01-01T00:00:00Z' } },
    ],
  ];
  for (const [expected, object] of table) test(expected, () => assert.equal(podReason(object), expected));
});
