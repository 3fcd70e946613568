// What a Job does about its pods, as tables.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { instant, minutes, plus, seconds, toTime } from '@kedge/core/time';
import type { Job, JobSpec, JobStatus, Pod } from '@kedge/model/k8s-types';
import { formatIndexes, parseIndexes } from './job-indexes.ts';
import { indexedPod, trackingFinalizer } from './job-pod.ts';
import { planCounting, settleCounts } from './job-counting.ts';
import { type Setbacks, tallyJob } from './job-tally.ts';
import { type JobPlan, planJob, type Verdict } from './plan-job.ts';
import { judgeFailure } from './pod-failure-policy.ts';

const now = instant(Date.UTC(2026, 0, 1, 12));
const job = (spec: Partial<JobSpec> = {}, status: JobStatus = {}): Job => ({
  metadata: { name: 'task', namespace: 'default', uid: 'job' },
  spec: {
    parallelism: 1,
    completions: 1,
    backoffLimit: 6,
    template: { spec: { containers: [{ name: 'main', image: 'i' }], restartPolicy: 'Never' } },
    ...spec,
  },
  status,
});

let made = 0;
/** `running`, `succeeded`, `failed` (long ago), `just failed`, `leaving`; with an index after a colon. */
function pod(text: string): Pod {
  const [state, index] = text.split(':');
  const phase = { succeeded: 'Succeeded', failed: 'Failed', 'just failed': 'Failed' }[state!] ?? 'Running';
  const finishedAt = toTime(plus(now, state === 'just failed' ? seconds(-4) : minutes(-30)));
  const ended = { name: 'main', state: { terminated: { exitCode: phase === 'Failed' ? 3 : 0, finishedAt } } };
  return {
    metadata: {
      name: `task-${(made += 1)}`,
      uid: `uid-${made}`,
      finalizers: [trackingFinalizer],
      ...(index === undefined ? {} : { annotations: { 'batch.kubernetes.io/job-completion-index': index } }),
      ...(state === 'leaving' ? { deletionTimestamp: toTime(now) } : {}),
    },
    spec: { containers: [], nodeName: 'edge' },
    status: {
      phase,
      containerStatuses: [{ restartCount: 0, ready: false, image: '', imageID: '', ...ended }],
    },
  };
}

function say(plan: JobPlan): string {
  switch (plan.do) {
    case 'create':
      return `create ${plan.indexes ? plan.indexes.join(' ') : plan.count}`;
    case 'delete':
      return `delete ${plan.delete.length}`;
    case 'wait':
      return plan.howLong === undefined ? 'wait' : `wait ${plan.howLong / 1_000} s`;
    case 'finish':
      return `${plan.verdict.reason}, delete ${plan.delete.length}`;
  }
}
const indexed: Partial<JobSpec> = { completionMode: 'Indexed', completions: 3, parallelism: 3 };
const started = { startTime: toTime(plus(now, minutes(-10))) };

const table: [what: string, job: Job, pods: string[], expected: string][] = [
  ['it begins', job(), [], 'create 1'],
  ['as many as may run at once', job({ completions: 5, parallelism: 3 }), ['running'], 'create 2'],
  ['but no more than are needed', job({ completions: 2, parallelism: 3 }), ['succeeded'], 'create 1'],
  ['nothing while they run', job(), ['running'], 'wait'],
  ['enough', job({ completions: 2 }), ['succeeded', 'succeeded'], 'CompletionsReached, delete 0'],
  ['enough, and one too many', job(), ['succeeded', 'running'], 'CompletionsReached, delete 1'],
  ['less at once than before', job({ completions: 5 }), ['running', 'running', 'running'], 'delete 2'],
  ['a failure is tried again', job(), ['failed'], 'create 1'],
  ['after a while', job(), ['just failed'], 'wait 6 s'],
  ['a longer one the more have failed', job(), ['failed', 'failed', 'just failed'], 'wait 36 s'],
  ['too many failures', job({ backoffLimit: 1 }), ['failed', 'failed'], 'BackoffLimitExceeded, delete 0'],
  [
    'pods without a job go on',
    job({ backoffLimit: 0, parallelism: 2 }),
    ['failed', 'running'],
    'BackoffLimitExceeded, delete 1',
  ],
  ['too late', job({ activeDeadlineSeconds: 60 }, started), ['running'], 'DeadlineExceeded, delete 1'],
  ['suspended', job({ suspend: true }), ['running'], 'delete 1'],
  ['suspended, its time stands still', job({ suspend: true, activeDeadlineSeconds: 60 }, started), [], 'wait'],
  ['a queue has workers', queue(3), ['running'], 'create 2'],
  ['a queue that is empty gets no more', queue(3), ['running', 'succeeded'], 'wait'],
  ['and is done when all are', queue(3), ['succeeded', 'failed'], 'CompletionsReached, delete 0'],
  ['indexes', job(indexed), [], 'create 0 1 2'],
  ['indexes that are missing', job(indexed), ['running:0', 'succeeded:1'], 'create 2'],
  ['two at one index', job(indexed), ['running:0', 'running:0', 'running:1', 'running:2'], 'delete 1'],
  ['an index twice is once', job(indexed), ['succeeded:1', 'succeeded:1'], 'create 0 2'],
  ['all indexes', job(indexed, { completedIndexes: '0-1' }), ['succeeded:2'], 'CompletionsReached, delete 0'],
  [
    'an index out of tries',
    job({ ...indexed, backoffLimitPerIndex: 0 }),
    ['failed:1', 'running:0', 'running:2'],
    'wait',
  ],
  [
    'failed indexes in the end',
    job({ ...indexed, backoffLimitPerIndex: 0 }),
    ['failed:1', 'succeeded:0', 'succeeded:2'],
    'FailedIndexes, delete 0',
  ],
  [
    'too many failed indexes',
    job({ ...indexed, backoffLimitPerIndex: 0, maxFailedIndexes: 1 }),
    ['failed:1', 'failed:0', 'running:2'],
    'MaxFailedIndexesExceeded, delete 1',
  ],
  [
    'a success policy',
    job({ ...indexed, successPolicy: { rules: [{ succeededIndexes: '1-2', succeededCount: 1 }] } }),
    ['succeeded:1', 'running:0'],
    'SuccessPolicy, delete 1',
  ],
  ['one that leaves is replaced', job(), ['leaving'], 'create 1'],
  ['unless the job wants to see how it ends', job({ podReplacementPolicy: 'Failed' }), ['leaving'], 'wait'],
];
function queue(parallelism: number): Job {
  const { completions: _, ...spec } = job({ parallelism }).spec!;
  return { ...job(), spec };
}

describe('a Job', () => {
  for (const [what, of, texts, expected] of table) {
    test(what, () => {
      const pods = texts.map(pod);
      const tally = tallyJob({ job: of, pods, setbacks: undefined });
      assert.equal(say(planJob({ job: of, pods, tally, now })), expected);
    });
  }
});

/** What a pass writes before it lets pods go, and after. */
function counted(
  of: Job,
  pods: readonly Pod[],
  verdict?: Verdict,
): { before: JobStatus; after: JobStatus; freed: number } {
  const tally = tallyJob({ job: of, pods, setbacks: undefined });
  const { counts, release } = planCounting({ job: of, pods, tally, verdict });
  const left = new Set(pods.filter((one) => !release.includes(one)).map(({ metadata }) => metadata.uid ?? ''));
  return { before: counts, after: settleCounts(counts, left), freed: release.length };
}
const uids = (pods: readonly Pod[]): string[] => pods.map(({ metadata }) => metadata.uid!);

describe('counting', () => {
  test('writes down whom it lets go of, and counts them when they are', () => {
    const pods = ['succeeded', 'failed', 'running', 'failed'].map(pod);
    const { before, after, freed } = counted(job({ completions: 9 }, { succeeded: 2, failed: 1 }), pods);
    assert.deepEqual(before, {
      succeeded: 2,
      failed: 1,
      uncountedTerminatedPods: { succeeded: uids(pods.slice(0, 1)), failed: uids([pods[1]!, pods[3]!]) },
    });
    assert.deepEqual(after, { succeeded: 3, failed: 3, uncountedTerminatedPods: {} });
    assert.equal(freed, 3);
  });

  test('goes on where it was interrupted', () => {
    const [tracked, released] = [pod('succeeded'), pod('failed')];
    const free = { ...released, metadata: { ...released.metadata, finalizers: [] } };
    const status: JobStatus = {
      succeeded: 4,
      uncountedTerminatedPods: { succeeded: uids([tracked, pod('succeeded')]), failed: uids([free]) },
    };
    const of = job({ completions: 9 }, status);
    // One is gone, one was let go of, and one is still to be.
    const tally = tallyJob({ job: of, pods: [tracked, free], setbacks: undefined });
    assert.deepEqual([tally.succeeded, tally.failed], [6, 1]);
    const { before, after } = counted(of, [tracked, free]);
    assert.deepEqual(before, { succeeded: 5, failed: 1, uncountedTerminatedPods: { succeeded: uids([tracked]) } });
    assert.deepEqual(after, { succeeded: 6, failed: 1, uncountedTerminatedPods: {} });
  });

  test('does not look at a pod again that was let go of', () => {
    const done = pod('succeeded');
    const free = { ...done, metadata: { ...done.metadata, finalizers: [] } };
    assert.equal(tallyJob({ job: job({}, { succeeded: 1 }), pods: [free], setbacks: undefined }).succeeded, 1);
  });

  test('takes one that is told to stop for a failure, unless the job waits to see', () => {
    const leaving = pod('leaving');
    assert.equal(counted(job(), [leaving]).after.failed, 1);
    assert.equal(counted(job({ podReplacementPolicy: 'Failed' }), [leaving]).after.failed, 0);
    assert.equal(counted(job({ podReplacementPolicy: 'Failed' }), [leaving]).freed, 0);
  });

  test('takes down with a failed job what still runs, and not with a complete one', () => {
    const running = pod('running');
    const verdict = { reason: '', message: '' };
    assert.equal(counted(job(), [running], { type: 'Failed', ...verdict }).after.failed, 1);
    assert.equal(counted(job(), [running], { type: 'Complete', ...verdict }).after.failed, 0);
    assert.equal(counted(job(), [running], { type: 'Complete', ...verdict }).freed, 1);
  });

  test('lets everything of a job go that is being deleted', () => {
    const of = { ...job(), metadata: { ...job().metadata, deletionTimestamp: toTime(now) } };
    assert.equal(counted(of, ['running', 'succeeded'].map(pod)).freed, 2);
  });

  test('counts an index once', () => {
    const of = job(indexed, { completedIndexes: '1', succeeded: 1 });
    const { after, freed } = counted(of, ['succeeded:1', 'succeeded:2', 'succeeded:7'].map(pod));
    assert.deepEqual(after, { succeeded: 2, failed: 0, completedIndexes: '1,2', uncountedTerminatedPods: {} });
    assert.equal(freed, 3);
  });

  test('forgets indexes that an elastic job no longer has', () => {
    const of = job({ ...indexed, completions: 2, parallelism: 2 }, { completedIndexes: '0-2', succeeded: 3 });
    assert.deepEqual(counted(of, []).after.completedIndexes, '0,1');
    assert.equal(counted(of, []).after.succeeded, 2);
  });

  test('keeps the pod that failed at an index until another one carries its number on', () => {
    const of = job({ ...indexed, backoffLimitPerIndex: 3 });
    const failed = pod('failed:1');
    assert.equal(counted(of, [failed]).freed, 0);
    const next = indexedPod(of, 1, { pod: failed, counts: true });
    assert.equal(next.metadata.annotations?.['batch.kubernetes.io/job-index-failure-count'], '1');
    assert.equal(counted(of, [failed, pod('running:1')]).freed, 1);
  });

  test('stops at a number of pods, and says so', () => {
    const many = Array.from({ length: 600 }, () => pod('succeeded'));
    const of = job({ completions: 1_000 });
    const tally = tallyJob({ job: of, pods: many, setbacks: undefined });
    const { release, isAll } = planCounting({ job: of, pods: many, tally, verdict: undefined });
    assert.deepEqual([release.length, isAll], [500, false]);
  });
});

describe('setbacks', () => {
  const before: Setbacks = { inARow: 2, last: plus(now, minutes(-60)) };
  const cases: [what: string, pods: string[], inARow: number | undefined][] = [
    ['nothing new', ['running'], 2],
    ['one more', ['failed'], 3],
    ['a success ends them', ['succeeded'], undefined],
    ['a failure after a success is the first', ['succeeded', 'just failed'], 1],
  ];
  for (const [what, texts, inARow] of cases) {
    test(what, () =>
      assert.equal(tallyJob({ job: job(), pods: texts.map(pod), setbacks: before }).setbacks?.inARow, inARow),
    );
  }
});

describe('a failure policy', () => {
  const failed = pod('failed');
  const evicted: Pod = {
    metadata: { ...failed.metadata, uid: 'evicted' },
    status: { ...failed.status, conditions: [{ type: 'DisruptionTarget', status: 'True' }] },
  };
  const rules = [
    { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] },
    { action: 'FailJob', onExitCodes: { operator: 'In', values: [42, 3] } },
  ];
  const of = job({ podFailurePolicy: { rules } });

  test('is decided by the first rule that matches', () => {
    assert.deepEqual(judgeFailure(of, evicted), { action: 'Ignore' });
    const judged = judgeFailure(of, failed);
    assert.equal(judged.action, 'FailJob');
    const message = `Container main for pod ${failed.metadata.name} failed with exit code 3 matching FailJob rule at index 1`;
    assert.equal(judged.action === 'FailJob' && judged.message, message);
  });

  test('counts when none does', () => {
    const others = [{ action: 'FailJob', onExitCodes: { operator: 'NotIn', values: [3] } }];
    assert.deepEqual(judgeFailure(job({ podFailurePolicy: { rules: others } }), failed), { action: 'Count' });
  });

  test('what is ignored does not count', () => {
    assert.equal(counted(of, [evicted]).after.failed, 0);
    assert.equal(counted(of, [evicted]).freed, 1);
    assert.ok(tallyJob({ job: of, pods: [failed], setbacks: undefined }).failJob?.includes('exit code 3'));
  });

  test('an index that fails at once is not tried again', () => {
    const failIndex = [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [3] } }];
    const perIndex = job({ ...indexed, backoffLimitPerIndex: 5, podFailurePolicy: { rules: failIndex } });
    const tally = tallyJob({ job: perIndex, pods: [pod('failed:1')], setbacks: undefined });
    assert.deepEqual([...tally.failedIndexes], [1]);
    assert.equal(counted(perIndex, [pod('failed:1')]).after.failedIndexes, '1');
  });

  test('ignored failures of an index are handed on beside those that count', () => {
    const perIndex = job({ ...indexed, backoffLimitPerIndex: 1 });
    const first = indexedPod(perIndex, 0, { pod: pod('failed:0'), counts: false });
    const second = indexedPod(perIndex, 0, { pod: first, counts: true });
    const failures = 'batch.kubernetes.io/job-index-failure-count';
    const ignored = 'batch.kubernetes.io/job-index-ignored-failure-count';
    const { annotations = {} } = second.metadata;
    assert.deepEqual([annotations[failures], annotations[ignored]], ['1', '1']);
  });
});

test('indexes are written as ranges', () => {
  for (const text of ['', '0', '0,1', '0-2,5', '1,3,5-9', '0,1,3-5'])
    assert.equal(formatIndexes(parseIndexes(text, 10)), text);
  assert.equal(formatIndexes(parseIndexes('0-4000000000', 3)), '0-2');
  assert.equal(formatIndexes(parseIndexes('x,,1-', 3)), '');
});

test('a pod knows its index', () => {
  const { metadata, spec } = indexedPod(job({ ...indexed, backoffLimitPerIndex: 2 }), 2, {
    pod: pod('failed:2'),
    counts: true,
  });
  assert.deepEqual(
    [metadata.generateName, spec?.hostname, metadata.labels?.['batch.kubernetes.io/job-completion-index']],
    ['task-2-', 'task-2', '2'],
  );
  assert.equal(metadata.annotations?.['batch.kubernetes.io/job-index-failure-count'], '1');
  assert.equal(spec?.containers[0]?.env?.[0]?.name, 'JOB_COMPLETION_INDEX');
});
