// The status that users read, for every state of a pod.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { instant } from '@kedge/core/time';
import type { Container, Pod, PodSpec, PodStatus } from '@kedge/model/k8s-types';
import type { SeenContainer, SeenPod, SeenState } from '../runtime/seen.ts';
import { podStatus, type PodStatusInput } from './pod-status.ts';

const now = instant(Date.UTC(2026, 0, 1, 12, 0, 0));
const at = (s: number) => instant(now - s * 1_000);

const container = (name: string, more: Partial<Container> = {}): Container => ({ name, image: 'app:1', ...more });
const podWith = (spec: Partial<PodSpec> = {}, status?: PodStatus): Pod => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u1' },
  spec: { containers: [container('main')], ...spec },
  ...(status ? { status } : {}),
});

const running: SeenState = { at: 'running', startedAt: at(30) };
const exited = (exitCode: number, reason = ''): SeenState => ({
  at: 'exited',
  startedAt: at(20),
  finishedAt: at(10),
  exitCode,
  reason,
  message: '',
});
const seen = (name: string, state: SeenState, more: Partial<SeenContainer> = {}): SeenContainer => ({
  id: `${name}-${more.restartCount ?? 0}`,
  name,
  sandboxId: 's0',
  restartCount: 0,
  hash: '',
  createdAt: at(40),
  image: 'docker.io/library/app:1',
  imageRef: 'sha256:1',
  state,
  backoff: undefined,
  gracePeriodSeconds: 30,
  ...more,
});
const ready: SeenPod['sandboxes'] = [
  { id: 's0', attempt: 0, isReady: true, createdAt: at(60), addresses: ['10.0.0.2'] },
];

function statusOf(pod: Pod, containers: SeenContainer[], more: Partial<PodStatusInput> = {}): PodStatus {
  const runningIds = new Set(containers.filter(({ state }) => state.at === 'running').map(({ id }) => id));
  return podStatus({
    pod,
    seen: { sandboxes: ready, containers },
    waiting: new Map(),
    started: runningIds,
    ready: runningIds,
    lastWords: new Map(),
    runtimeName: 'containerd',
    now,
    previous: undefined,
    hostIps: ['192.0.2.1'],
    isOver: false,
    failure: undefined,
    ...more,
  });
}

const conditionsOf = ({ conditions = [] }: PodStatus): Record<string, string> =>
  Object.fromEntries(conditions.map(({ type, status }) => [type, status]));
const init = { initContainers: [container('setup')] };

describe('the phase of a pod', () => {
  const cases: [string, Pod, SeenContainer[], Partial<PodStatusInput>, string][] = [
    ['nothing is there yet', podWith(), [], {}, 'Pending'],
    [
      'one of two containers runs',
      podWith({ containers: [container('main'), container('b')] }),
      [seen('main', running)],
      {},
      'Pending',
    ],
    ['all containers run', podWith(), [seen('main', running)], {}, 'Running'],
    ['an init container runs', podWith(init), [seen('setup', running)], {}, 'Pending'],
    ['an init container failed and is run again', podWith(init), [seen('setup', exited(1))], {}, 'Pending'],
    [
      'an init container failed for good',
      podWith({ ...init, restartPolicy: 'Never' }),
      [seen('setup', exited(1))],
      {},
      'Failed',
    ],
    [
      'a container waits to be restarted',
      podWith(),
      [seen('main', exited(1))],
      { waiting: new Map([['main', { reason: 'CrashLoopBackOff', message: 'x' }]]) },
      'Running',
    ],
    ['all ended well and stay', podWith({ restartPolicy: 'Never' }), [seen('main', exited(0))], {}, 'Succeeded'],
    ['one ended badly and stays', podWith({ restartPolicy: 'Never' }), [seen('main', exited(2))], {}, 'Failed'],
    [
      'one ended badly and restarts on failure',
      podWith({ restartPolicy: 'OnFailure' }),
      [seen('main', exited(2))],
      {},
      'Running',
    ],
    [
      'all ended well and a sidecar still runs',
      podWith({ restartPolicy: 'Never', initContainers: [container('proxy', { restartPolicy: 'Always' })] }),
      [seen('main', exited(0)), seen('proxy', running)],
      {},
      'Running',
    ],
    [
      'one could not be started and it is not settled what follows',
      podWith({ restartPolicy: 'Never' }),
      [seen('main', exited(128, 'StartError'))],
      { waiting: new Map([['main', { reason: 'CreateContainerError', message: 'no such file' }]]) },
      'Running',
    ],
    ['a deleted pod ended well', podWith(), [seen('main', exited(0))], { isOver: true }, 'Succeeded'],
    ['a deleted pod was killed', podWith(), [seen('main', exited(137))], { isOver: true }, 'Failed'],
    ['a deleted pod never ran', podWith(), [], { isOver: true }, 'Failed'],
    [
      'a pod that was refused',
      podWith(),
      [],
      { failure: { reason: 'UnsupportedFeature', message: 'x' }, isOver: true },
      'Failed',
    ],
    [
      'a pod that had ended before',
      podWith({ restartPolicy: 'Never' }),
      [],
      { previous: { phase: 'Succeeded' }, isOver: true },
      'Succeeded',
    ],
  ];
  for (const [situation, pod, containers, more, phase] of cases) {
    test(`${situation}: ${phase}`, () => assert.equal(statusOf(pod, containers, more).phase, phase));
  }
});

describe('the status of a pod', () => {
  test('that runs', () => {
    assert.deepEqual(statusOf(podWith(), [seen('main', running)]), {
      phase: 'Running',
      conditions: ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(
        (type) => ({
          type,
          status: 'True',
          lastTransitionTime: '2026-01-01T12:00:00Z',
        }),
      ),
      hostIP: '192.0.2.1',
      hostIPs: [{ ip: '192.0.2.1' }],
      podIP: '10.0.0.2',
      podIPs: [{ ip: '10.0.0.2' }],
      startTime: '2026-01-01T12:00:00Z',
      containerStatuses: [
        {
          name: 'main',
          image: 'docker.io/library/app:1',
          imageID: 'sha256:1',
          containerID: 'containerd://main-0',
          restartCount: 0,
          ready: true,
          started: true,
          state: { running: { startedAt: '2026-01-01T11:59:30Z' } },
          lastState: {},
        },
      ],
      qosClass: 'BestEffort',
    });
  });

  test('that crashes shows why it waits and how it ended', () => {
    const waiting = new Map([['main', { reason: 'CrashLoopBackOff', message: 'back-off 10s' }]]);
    const lastWords = new Map([['main-1', 'no database']]);
    const status = statusOf(podWith(), [seen('main', exited(3), { restartCount: 1 })], { waiting, lastWords });
    const [main] = status.containerStatuses ?? [];
    assert.equal(main?.restartCount, 1);
    assert.deepEqual(main?.state, { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } });
    assert.deepEqual(main?.lastState?.terminated, {
      exitCode: 3,
      reason: 'Error',
      message: 'no database',
      startedAt: '2026-01-01T11:59:40Z',
      finishedAt: '2026-01-01T11:59:50Z',
      containerID: 'containerd://main-1',
    });
  });

  test('that waits for its image says so', () => {
    const waiting = new Map([['main', { reason: 'ImagePullBackOff', message: 'Back-off pulling image "app:1"' }]]);
    const [main] = statusOf(podWith(), [], { waiting }).containerStatuses ?? [];
    assert.deepEqual(main?.state, {
      waiting: { reason: 'ImagePullBackOff', message: 'Back-off pulling image "app:1"' },
    });
    assert.equal(main?.image, 'app:1');
  });

  test('that is being started says ContainerCreating, or PodInitializing behind init containers', () => {
    const reason = (pod: Pod) => statusOf(pod, []).containerStatuses?.[0]?.state?.waiting?.reason;
    assert.equal(reason(podWith()), 'ContainerCreating');
    assert.equal(reason(podWith(init)), 'PodInitializing');
  });

  test('whose container was killed for memory keeps the word of the runtime', () => {
    const status = statusOf(podWith({ restartPolicy: 'Never' }), [seen('main', exited(137, 'OOMKilled'))]);
    assert.equal(status.containerStatuses?.[0]?.state?.terminated?.reason, 'OOMKilled');
  });

  test('that is over keeps how its removed containers ended', () => {
    const ended = { exitCode: 0, reason: 'Completed', containerID: 'containerd://x' };
    const previous: PodStatus = {
      phase: 'Running',
      containerStatuses: [
        { name: 'main', image: 'app:1', imageID: 'i', ready: false, restartCount: 2, state: { terminated: ended } },
      ],
    };
    const status = statusOf(podWith(), [], { previous, isOver: true });
    assert.deepEqual(status.containerStatuses?.[0]?.state, { terminated: ended });
    assert.equal(status.containerStatuses?.[0]?.restartCount, 2);
  });

  test('that was refused before a restart had no containers, and still has none', () => {
    const previous: PodStatus = { phase: 'Failed', reason: 'UnsupportedFeature', message: 'no nfs' };
    const { phase, reason, message, containerStatuses } = statusOf(podWith(), [], { previous, isOver: true });
    assert.deepEqual(
      [phase, reason, message, containerStatuses],
      ['Failed', 'UnsupportedFeature', 'no nfs', undefined],
    );
  });

  test('that ended unseen says that nobody saw it', () => {
    const previous: PodStatus = {
      containerStatuses: [
        {
          name: 'main',
          image: 'app:1',
          imageID: 'i',
          ready: true,
          restartCount: 0,
          containerID: 'containerd://x',
          state: { running: {} },
        },
      ],
    };
    const end = statusOf(podWith(), [], { previous, isOver: true }).containerStatuses?.[0]?.state?.terminated;
    assert.equal(end?.reason, 'ContainerStatusUnknown');
    assert.equal(end?.exitCode, 137);
  });

  test('that failed while initializing did not run what comes after, and does not say that it ended', () => {
    const initContainers = [container('first'), container('second')];
    const pod = podWith({ initContainers, restartPolicy: 'Never' });
    const status = statusOf(pod, [seen('first', exited(1))], { isOver: true });
    const stateOf = (statuses: PodStatus['containerStatuses'], name: string) =>
      statuses?.find((one) => one.name === name)?.state;
    assert.equal(status.phase, 'Failed');
    assert.equal(stateOf(status.initContainerStatuses, 'first')?.terminated?.exitCode, 1);
    assert.deepEqual(stateOf(status.initContainerStatuses, 'second'), { waiting: { reason: 'PodInitializing' } });
    assert.deepEqual(stateOf(status.containerStatuses, 'main'), { waiting: { reason: 'PodInitializing' } });
    const initialized = statusOf(pod, [seen('first', exited(0)), seen('second', exited(0))], { isOver: true });
    assert.equal(stateOf(initialized.containerStatuses, 'main')?.terminated?.reason, 'ContainerStatusUnknown');
  });

  test('in the host network has the address of the host', () => {
    const status = statusOf(podWith({ hostNetwork: true }), [seen('main', running)]);
    assert.equal(status.podIP, '192.0.2.1');
  });

  test('keeps the time of a condition that did not change, and conditions of others', () => {
    const previous: PodStatus = {
      startTime: '2026-01-01T11:00:00Z',
      conditions: [
        { type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T10:59:00Z' },
        { type: 'Ready', status: 'False', lastTransitionTime: '2026-01-01T11:00:00Z' },
      ],
    };
    const gate = { type: 'example.com/gate', status: 'True' };
    const pod = podWith({ readinessGates: [{ conditionType: gate.type }] }, { conditions: [gate] });
    const status = statusOf(pod, [seen('main', running)], { previous });
    const timeOf = (type: string) =>
      status.conditions?.find((condition) => condition.type === type)?.lastTransitionTime;
    assert.equal(timeOf('PodScheduled'), '2026-01-01T10:59:00Z');
    assert.equal(timeOf('Ready'), '2026-01-01T12:00:00Z');
    assert.equal(status.startTime, '2026-01-01T11:00:00Z');
    assert.ok(status.conditions?.some(({ type }) => type === 'example.com/gate'));
  });

  test('computed twice is the same', () => {
    const first = statusOf(podWith(init), [seen('main', running), seen('setup', exited(0))]);
    const later = instant(now + 60_000);
    const second = statusOf(podWith(init), [seen('main', running), seen('setup', exited(0))], {
      previous: first,
      now: later,
    });
    assert.deepEqual(second, first);
  });
});

describe('the conditions of a pod', () => {
  const cases: [string, PodStatus, Record<string, string>][] = [
    [
      'without a sandbox',
      statusOf(podWith(), [], { seen: { sandboxes: [], containers: [] } }),
      { PodReadyToStartContainers: 'False', Initialized: 'True', Ready: 'False', ContainersReady: 'False' },
    ],
    ['behind init containers', statusOf(podWith(init), []), { Initialized: 'False', Ready: 'False' }],
    [
      'with a container that is not ready',
      statusOf(podWith(), [seen('main', running)], { ready: new Set() }),
      { Ready: 'False', ContainersReady: 'False', Initialized: 'True' },
    ],
    [
      'done',
      statusOf(podWith({ restartPolicy: 'Never' }), [seen('main', exited(0))]),
      { Ready: 'False', Initialized: 'True' },
    ],
    [
      'with a closed readiness gate',
      statusOf(podWith({ readinessGates: [{ conditionType: 'example.com/gate' }] }), [seen('main', running)]),
      { Ready: 'False', ContainersReady: 'True' },
    ],
  ];
  for (const [situation, status, expected] of cases) {
    test(situation, () => {
      const actual = conditionsOf(status);
      for (const [type, value] of Object.entries(expected)) assert.equal(actual[type], value, type);
    });
  }
});
