// What a Job does about its pods, as tables.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { instant, minutes, plus, seconds, toTime } from '@kedge/core/time';
import type { Job, JobSpec, JobStatus, Pod } from '@kedge/model/k8s-types';
import { formatIndexes, parseIndexes } from './job-indexes.ts';
import { indexedPod } from './job-pod.ts';
import { JobTally } from './job-tally.ts';
import { type JobPlan, planJob } from './plan-job.ts';
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
      const tally = new JobTally(of, pods, now);
      assert.equal(say(planJob({ job: of, pods, tally, now })), expected);
    });
  }
});

describe('the tally', () => {
  test('counts a pod once, whatever becomes of it', () => {
    const of = job({ completions: 9 });
    const tally = new JobTally(of, [], now);
    const one = pod('succeeded');
    for (let pass = 0; pass < 3; pass++) tally.count(of, [one], [], now);
    tally.count(of, [], [one], now);
    tally.count(of, [], [], now);
    assert.deepEqual([tally.succeeded, tally.failed], [1, 0]);
  });

  test('takes one that went while it ran for a failure', () => {
    const of = job({ completions: 9 });
    const one = pod('running');
    const tally = new JobTally(of, [one], now);
    tally.count(of, [], [one], now);
    assert.deepEqual([tally.succeeded, tally.failed], [0, 1]);
  });

  test('does not count one that was given up', () => {
    const of = job({ completions: 9 });
    const one = pod('running');
    const tally = new JobTally(of, [one], now);
    tally.settle(one);
    tally.count(of, [{ ...one, metadata: { ...one.metadata, deletionTimestamp: toTime(now) } }], [], now);
    tally.count(of, [], [one], now);
    assert.deepEqual([tally.succeeded, tally.failed], [0, 0]);
  });

  test('begins with the status, and does not count again what is in it', () => {
    const tally = new JobTally(job({ completions: 9 }, { succeeded: 3, failed: 1 }), [pod('succeeded')], now);
    assert.deepEqual([tally.succeeded, tally.failed], [3, 1]);
  });
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
    const tally = new JobTally(of, [evicted], now);
    assert.equal(tally.failed, 0);
    tally.count(of, [failed], [], now);
    assert.ok(tally.failJob?.includes('exit code 3'));
  });
});

test('indexes are written as ranges', () => {
  for (const text of ['', '0', '0-1', '0-2,5', '1,3,5-9']) assert.equal(formatIndexes(parseIndexes(text, 10)), text);
  assert.equal(formatIndexes(parseIndexes('0-4000000000', 3)), '0-2');
  assert.equal(formatIndexes(parseIndexes('x,,1-', 3)), '');
});

test('a pod knows its index', () => {
  const { metadata, spec } = indexedPod(job({ ...indexed, backoffLimitPerIndex: 2 }), 2, 1);
  assert.deepEqual(
    [metadata.generateName, spec?.hostname, metadata.labels?.['batch.kubernetes.io/job-completion-index']],
    ['task-2-', 'task-2', '2'],
  );
  assert.equal(metadata.annotations?.['batch.kubernetes.io/job-index-failure-count'], '1');
  assert.equal(spec?.containers[0]?.env?.[0]?.name, 'JOB_COMPLETION_INDEX');
});
