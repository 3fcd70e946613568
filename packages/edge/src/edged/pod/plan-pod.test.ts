// The rules of pod life as a table: what is wanted, what is seen, and what follows.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Instant, instant, seconds } from '@kedge/core/time';
import type { Container, Pod, PodSpec } from '@kedge/model/k8s-types';
import { containerHash } from '../runtime/labels.ts';
import type { SeenContainer, SeenPod, SeenSandbox, SeenState } from '../runtime/seen.ts';
import { planPod } from './plan-pod.ts';
import type { PlanInput, PodAction } from './pod-action.ts';

const now = instant(1_000_000_000);
const ago = (s: number): Instant => instant(now - s * 1_000);

const container = (name: string, more: Partial<Container> = {}): Container => ({ name, image: 'app:1', ...more });
const podWith = (spec: Partial<PodSpec>, meta: Partial<Pod['metadata']> = {}): Pod => ({
  metadata: { name: 'web', namespace: 'default', uid: 'u1', ...meta },
  spec: { containers: [container('main')], terminationGracePeriodSeconds: 30, ...spec },
});

const sandbox = (attempt = 0, isReady = true): SeenSandbox => ({
  id: `s${attempt}`,
  attempt,
  isReady,
  createdAt: ago(100 - attempt),
  addresses: ['10.0.0.2'],
});
const running: SeenState = { at: 'running', startedAt: ago(50) };
const exited = (exitCode: number, secondsAgo = 1): SeenState => ({
  at: 'exited',
  startedAt: ago(secondsAgo + 10),
  finishedAt: ago(secondsAgo),
  exitCode,
  reason: '',
  message: '',
});
const seenContainer = (name: string, state: SeenState, more: Partial<SeenContainer> = {}): SeenContainer => ({
  id: `${name}-${more.restartCount ?? 0}`,
  name,
  sandboxId: 's0',
  restartCount: 0,
  hash: containerHash(container(name)),
  createdAt: ago(60),
  image: 'app:1',
  imageRef: 'sha256:1',
  state,
  backoff: undefined,
  gracePeriodSeconds: 30,
  ...more,
});

const init = (...names: string[]): Partial<PodSpec> => ({ initContainers: names.map((name) => container(name)) });
const sidecar = { initContainers: [container('proxy', { restartPolicy: 'Always' })] };
const twoSidecars = {
  initContainers: [...sidecar.initContainers, container('logs', { restartPolicy: 'Always' })],
};
const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 5 };

interface Case {
  readonly rule: string;
  readonly pod?: Pod;
  readonly sandboxes?: SeenSandbox[];
  readonly containers?: SeenContainer[];
  readonly input?: Partial<PlanInput>;
  /** Actions as short texts. */
  readonly actions: string[];
  readonly isOver?: boolean;
  readonly waiting?: string;
}

const short = (action: PodAction): string => {
  switch (action.do) {
    case 'stop-container':
      return `stop ${action.id} ${action.grace / 1_000}s`;
    case 'start-container':
      return `start ${action.name} #${action.restartCount}`;
    case 'make-sandbox':
      return `make sandbox #${action.attempt}`;
    case 'stop-sandbox':
    case 'remove-sandbox':
    case 'remove-container':
      return `${action.do.replace('-', ' ')} ${action.id}`;
  }
};

const backoff = { delay: seconds(10), setAt: ago(20) };

const cases: Case[] = [
  // Start
  { rule: 'a new pod gets a sandbox and its containers', sandboxes: [], actions: ['make sandbox #0', 'start main #0'] },
  { rule: 'a pod that runs is left alone', containers: [seenContainer('main', running)], actions: [] },
  {
    rule: 'a sandbox without containers gets them',
    pod: podWith({ containers: [container('a'), container('b')] }),
    actions: ['start a #0', 'start b #0'],
  },
  {
    rule: 'a container that was made but not started is made again',
    containers: [seenContainer('main', { at: 'created' })],
    actions: ['remove container main-0', 'start main #0'],
  },
  {
    rule: 'a runtime that lost everything does not set the restart count back',
    pod: {
      ...podWith({}),
      status: {
        containerStatuses: [
          { name: 'main', image: '', imageID: '', ready: true, restartCount: 4, containerID: 'containerd://gone' },
        ],
      },
    },
    sandboxes: [],
    actions: ['make sandbox #0', 'start main #5'],
  },

  // Ephemeral containers
  ...[
    { rule: 'an ephemeral container is started beside what runs', seen: [], actions: ['start debug #0'] },
    { rule: 'an ephemeral container that ended is not started again', seen: [exited(1)], actions: [] },
    {
      rule: 'an ephemeral container that was made but not started is made again',
      seen: [{ at: 'created' } as const],
      actions: ['remove container debug-0', 'start debug #0'],
    },
  ].map(({ rule, seen, actions }) => ({
    rule,
    pod: podWith({ ephemeralContainers: [container('debug')] }),
    containers: [seenContainer('main', running), ...seen.map((state) => seenContainer('debug', state))],
    actions,
  })),
  {
    rule: 'an ephemeral container waits for a sandbox to look into',
    pod: podWith({ ephemeralContainers: [container('debug')] }),
    sandboxes: [],
    actions: ['make sandbox #0', 'start main #0'],
  },

  // Restart policies
  ...[
    { policy: 'Always', code: 0, actions: ['start main #1'] },
    { policy: 'Always', code: 1, actions: ['start main #1'] },
    { policy: 'OnFailure', code: 1, actions: ['start main #1'] },
  ].map(({ policy, code, actions }) => ({
    rule: `${policy} restarts after exit code ${code}`,
    pod: podWith({ restartPolicy: policy }),
    containers: [seenContainer('main', exited(code))],
    actions,
  })),
  ...[
    { policy: 'OnFailure', code: 0 },
    { policy: 'Never', code: 0 },
    { policy: 'Never', code: 1 },
  ].map(({ policy, code }) => ({
    rule: `${policy} is done after exit code ${code}: the sandbox goes`,
    pod: podWith({ restartPolicy: policy }),
    containers: [seenContainer('main', exited(code))],
    actions: ['stop sandbox s0'],
  })),
  {
    rule: 'a pod that is done and whose sandbox is gone is over',
    pod: podWith({ restartPolicy: 'Never' }),
    sandboxes: [sandbox(0, false)],
    containers: [seenContainer('main', exited(0))],
    actions: [],
    isOver: true,
  },
  {
    rule: 'a pod is not done while one of its containers runs',
    pod: podWith({ restartPolicy: 'Never', containers: [container('a'), container('b')] }),
    containers: [seenContainer('a', exited(0)), seenContainer('b', running)],
    actions: [],
  },

  // Back-off
  {
    rule: 'a container that failed again waits',
    containers: [seenContainer('main', exited(1, 3), { restartCount: 1, backoff })],
    actions: [],
    waiting: 'CrashLoopBackOff',
  },
  {
    rule: 'a container that has waited is started',
    containers: [seenContainer('main', exited(1, 11), { restartCount: 1, backoff })],
    actions: ['start main #2'],
  },
  {
    rule: 'no sandbox is made while its only container backs off',
    sandboxes: [sandbox(0, false)],
    containers: [seenContainer('main', exited(1, 3), { backoff })],
    actions: [],
    waiting: 'CrashLoopBackOff',
  },

  // Sandbox
  {
    rule: 'a lost sandbox is made anew and its containers with it',
    sandboxes: [sandbox(2, false)],
    containers: [seenContainer('main', exited(137), { sandboxId: 's2' })],
    actions: ['stop sandbox s2', 'make sandbox #3', 'start main #1'],
  },
  {
    rule: 'containers that outlived their sandbox end first',
    sandboxes: [sandbox(0, false)],
    containers: [seenContainer('main', running)],
    actions: ['stop main-0 30s'],
  },
  {
    rule: 'after a reboot a pod that restarts never is over',
    pod: podWith({ restartPolicy: 'Never' }),
    sandboxes: [sandbox(0, false)],
    containers: [seenContainer('main', exited(255))],
    actions: [],
    isOver: true,
  },
  {
    rule: 'after a reboot OnFailure runs again what had not succeeded, init containers first',
    pod: podWith({ restartPolicy: 'OnFailure', ...init('setup') }),
    sandboxes: [sandbox(0, false)],
    containers: [seenContainer('main', exited(255)), seenContainer('setup', exited(0, 90))],
    actions: ['stop sandbox s0', 'make sandbox #1', 'start setup #1'],
  },
  {
    rule: 'an older sandbox that still runs is stopped',
    sandboxes: [sandbox(1), sandbox(0)],
    containers: [seenContainer('main', running, { sandboxId: 's1' })],
    actions: ['stop sandbox s0'],
  },
  {
    rule: 'an older sandbox is removed with the last container worth showing',
    sandboxes: [sandbox(1), sandbox(0, false)],
    containers: [seenContainer('main', running, { sandboxId: 's1' })],
    actions: ['remove sandbox s0'],
  },

  // Init containers
  { rule: 'init containers come first', pod: podWith(init('one', 'two')), actions: ['start one #0'] },
  {
    rule: 'the second waits for the first',
    pod: podWith(init('one', 'two')),
    containers: [seenContainer('one', running)],
    actions: [],
  },
  {
    rule: 'the second follows the first',
    pod: podWith(init('one', 'two')),
    containers: [seenContainer('one', exited(0))],
    actions: ['start two #0'],
  },
  {
    rule: 'main containers follow the last',
    pod: podWith(init('one', 'two')),
    containers: [seenContainer('two', exited(0)), seenContainer('one', exited(0))],
    actions: ['start main #0'],
  },
  {
    rule: 'an init container that failed is run again',
    pod: podWith(init('one')),
    containers: [seenContainer('one', exited(1))],
    actions: ['start one #1'],
  },
  {
    rule: 'an init container that failed ends a pod that restarts never',
    pod: podWith({ restartPolicy: 'Never', ...init('one') }),
    containers: [seenContainer('one', exited(1))],
    actions: ['stop sandbox s0'],
  },
  {
    rule: 'init containers whose traces are gone do not run again beside main containers',
    pod: podWith(init('one')),
    containers: [seenContainer('main', running)],
    actions: [],
  },

  // Sidecars
  { rule: 'a sidecar starts first', pod: podWith(sidecar), actions: ['start proxy #0'] },
  {
    rule: 'main containers wait until the sidecar has started',
    pod: podWith(sidecar),
    containers: [seenContainer('proxy', running)],
    input: { starting: new Set(['proxy-0']) },
    actions: [],
  },
  {
    rule: 'main containers follow a sidecar that has started',
    pod: podWith(sidecar),
    containers: [seenContainer('proxy', running)],
    actions: ['start main #0'],
  },
  {
    rule: 'a sidecar is restarted whatever the policy',
    pod: podWith({ restartPolicy: 'Never', ...sidecar }),
    containers: [seenContainer('main', running), seenContainer('proxy', exited(0))],
    actions: ['start proxy #1'],
  },
  {
    rule: 'a sidecar ends when the main containers are done',
    pod: podWith({ restartPolicy: 'Never', ...sidecar }),
    containers: [seenContainer('main', exited(0)), seenContainer('proxy', running)],
    actions: ['stop proxy-0 30s'],
  },

  // Changes and health
  {
    rule: 'a container whose image changed is stopped',
    containers: [seenContainer('main', running, { hash: 'other' })],
    actions: ['stop main-0 30s'],
  },
  {
    rule: 'and started anew whatever the policy',
    pod: podWith({ restartPolicy: 'Never' }),
    containers: [seenContainer('main', exited(0), { hash: 'other' })],
    actions: ['start main #1'],
  },
  {
    rule: 'a container that failed its liveness probe is stopped with the grace of the probe',
    containers: [seenContainer('main', running)],
    input: { unhealthy: new Map([['main-0', { why: 'it does not answer', grace: seconds(3) }]]) },
    actions: ['stop main-0 3s'],
  },
  {
    rule: 'a container in an unknown state is stopped',
    containers: [seenContainer('main', { at: 'unknown' })],
    actions: ['stop main-0 30s'],
  },
  {
    rule: 'of each name the newest and the one before it are kept',
    containers: [
      seenContainer('main', running, { restartCount: 3 }),
      seenContainer('main', exited(1), { restartCount: 2 }),
      seenContainer('main', exited(1), { restartCount: 1 }),
      seenContainer('main', exited(1), { restartCount: 0 }),
    ],
    actions: ['remove container main-1', 'remove container main-0'],
  },

  // The end
  {
    rule: 'a deleted pod ends within the grace of its deletion',
    pod: podWith({}, deleted),
    containers: [seenContainer('main', running)],
    actions: ['stop main-0 5s'],
  },
  {
    rule: 'a deletion without grace still gives a second',
    pod: podWith({}, { ...deleted, deletionGracePeriodSeconds: 0 }),
    containers: [seenContainer('main', running)],
    actions: ['stop main-0 1s'],
  },
  {
    rule: 'sidecars end after the others',
    pod: podWith(sidecar, deleted),
    containers: [seenContainer('main', running), seenContainer('proxy', running)],
    actions: ['stop main-0 5s'],
  },
  {
    rule: 'of sidecars the one that started last ends first',
    pod: podWith(twoSidecars, deleted),
    containers: [seenContainer('main', exited(0)), seenContainer('proxy', running), seenContainer('logs', running)],
    actions: ['stop logs-0 5s'],
  },
  {
    rule: 'then the one before it',
    pod: podWith(twoSidecars, deleted),
    containers: [seenContainer('logs', exited(0)), seenContainer('proxy', running)],
    actions: ['stop proxy-0 5s'],
  },
  {
    rule: 'sidecars end together when the time of the pod is over',
    pod: podWith(twoSidecars, { ...deleted, deletionTimestamp: '1970-01-01T00:00:00Z' }),
    containers: [seenContainer('proxy', running), seenContainer('logs', running)],
    actions: ['stop proxy-0 5s', 'stop logs-0 5s'],
  },
  {
    rule: 'then the sandbox is stopped',
    pod: podWith({}, deleted),
    containers: [seenContainer('main', exited(0))],
    actions: ['stop sandbox s0'],
  },
  {
    rule: 'then it is over',
    pod: podWith({}, deleted),
    sandboxes: [sandbox(0, false)],
    containers: [seenContainer('main', exited(0))],
    actions: [],
    isOver: true,
  },
  { rule: 'a deleted pod is not started', pod: podWith({}, deleted), sandboxes: [], actions: [], isOver: true },
  {
    rule: 'a pod that failed as a whole ends',
    containers: [seenContainer('main', running)],
    input: { mustEnd: true },
    actions: ['stop main-0 30s'],
  },
];

describe('the plan for a pod', () => {
  for (const { rule, pod, sandboxes = [sandbox()], containers = [], input, actions, isOver, waiting } of cases) {
    test(rule, () => {
      const seen: SeenPod = { sandboxes, containers };
      const plan = planPod({
        pod: pod ?? podWith({}),
        seen,
        now,
        starting: new Set(),
        unhealthy: new Map(),
        mustEnd: false,
        ...input,
      });
      assert.deepEqual(plan.actions.map(short), actions);
      assert.equal(plan.isOver, isOver ?? false);
      assert.equal([...plan.waiting.values()][0]?.reason, waiting);
      if (waiting) assert.ok((plan.lookAgainAt ?? 0) > now, 'somebody looks again when the wait is over');
    });
  }
});
