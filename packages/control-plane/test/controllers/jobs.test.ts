// Jobs over a whole cluster.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import type { Job, JobSpec, Pod } from '@kedge/model/k8s-types';
import { template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { jobs, pods } = collections;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster().start();
});
afterEach(() => cluster.stop());

const task = (spec: Partial<JobSpec> = {}): Job => ({
  apiVersion: 'batch/v1',
  kind: 'Job',
  metadata: { name: 'task' },
  spec: {
    parallelism: 1,
    completions: 1,
    backoffLimit: 6,
    suspend: false,
    selector: { matchLabels: { app: 'task' } },
    template: template('task', 'task:1', { nodeName: 'edge', restartPolicy: 'Never' }),
    ...spec,
  },
});
const running = async (): Promise<Pod[]> =>
  (await cluster.list(pods)).filter(
    ({ metadata, status }) => !metadata.deletionTimestamp && ['Pending', 'Running'].includes(status?.phase ?? ''),
  );
async function end(pod: Pod, phase: 'Succeeded' | 'Failed'): Promise<void> {
  const target = { namespace: 'default', name: pod.metadata.name!, subresource: 'status' };
  await cluster.api.patch(pods, target, 'merge', JSON.stringify({ status: { phase } }));
}
async function endAll(phase: 'Succeeded' | 'Failed'): Promise<number> {
  const all = await running();
  for (const pod of all) await end(pod, phase);
  await cluster.settle();
  return all.length;
}
const conditions = async (): Promise<string[]> =>
  ((await cluster.get(jobs, 'task')).status?.conditions ?? [])
    .filter(({ status }) => status === 'True')
    .map(({ type, reason }) => `${type} ${reason}`);

test('a job runs to its end', async () => {
  await cluster.apply(jobs, task({ completions: 5, parallelism: 2 }));
  await cluster.settle();
  const batches: number[] = [];
  for (let ended = await endAll('Succeeded'); ended > 0; ended = await endAll('Succeeded')) batches.push(ended);
  assert.deepEqual(batches, [2, 2, 1]);
  const { status } = await cluster.get(jobs, 'task');
  assert.deepEqual([status?.succeeded, status?.active ?? 0, status?.ready], [5, 0, 0]);
  assert.ok(status?.completionTime && status.startTime);
  assert.deepEqual(await conditions(), ['SuccessCriteriaMet CompletionsReached', 'Complete CompletionsReached']);
  const events = await cluster.eventsAbout('task');
  assert.ok(events.includes('Completed: Job completed'));
  assert.equal(events.filter((one) => one.startsWith('SuccessfulCreate')).length, 5);
});

test('pods that are deleted after they succeeded have still succeeded', async () => {
  await cluster.apply(jobs, task({ completions: 4, parallelism: 2 }));
  await cluster.settle();
  await endAll('Succeeded');
  for (const { metadata, status } of await cluster.list(pods)) {
    if (status?.phase !== 'Succeeded') continue;
    await cluster.api.delete(pods, { namespace: 'default', name: metadata.name! }, { gracePeriodSeconds: 0 });
  }
  await cluster.settle();
  assert.equal((await cluster.get(jobs, 'task')).status?.succeeded, 2);
  assert.equal(await endAll('Succeeded'), 2);
  assert.equal((await cluster.get(jobs, 'task')).status?.succeeded, 4);
});

test('one that ends and goes in the same moment is counted', async () => {
  await cluster.apply(jobs, task({ completions: 2 }));
  await cluster.settle();
  const [pod] = await running();
  await end(pod!, 'Succeeded');
  await cluster.api.delete(pods, { namespace: 'default', name: pod!.metadata.name! });
  await cluster.settle();
  const { status } = await cluster.get(jobs, 'task');
  assert.deepEqual([status?.succeeded, status?.failed ?? 0, status?.active], [1, 0, 1]);
});

test('failures are tried again, more slowly each time, until the limit', async () => {
  await cluster.apply(jobs, task({ backoffLimit: 2 }));
  await cluster.settle();
  await endAll('Failed');
  assert.equal((await running()).length, 0);
  await cluster.clock.advance(seconds(10));
  assert.equal(await endAll('Failed'), 1);
  await cluster.clock.advance(seconds(15));
  assert.equal((await running()).length, 0);
  await cluster.clock.advance(seconds(10));
  assert.equal(await endAll('Failed'), 1);
  assert.deepEqual(await conditions(), ['FailureTarget BackoffLimitExceeded', 'Failed BackoffLimitExceeded']);
  assert.equal((await cluster.get(jobs, 'task')).status?.failed, 3);
  await cluster.clock.advance(minutes(10));
  assert.equal((await running()).length, 0);
});

test('a job that takes too long is stopped, and has failed when its pods are gone', async () => {
  await cluster.apply(jobs, task({ activeDeadlineSeconds: 20, parallelism: 2, completions: 2 }));
  await cluster.settle();
  await cluster.runPods();
  await cluster.clock.advance(seconds(20));
  assert.deepEqual(await conditions(), ['FailureTarget DeadlineExceeded']);
  await cluster.runPods();
  assert.deepEqual(await conditions(), ['FailureTarget DeadlineExceeded', 'Failed DeadlineExceeded']);
  assert.equal((await cluster.get(jobs, 'task')).status?.failed, 2);
});

test('a suspended job has no pods, and what it gave up has not failed', async () => {
  await cluster.apply(jobs, task({ parallelism: 2, completions: 2 }));
  await cluster.settle();
  await cluster.runPods();
  await cluster.patch(jobs, 'task', { spec: { suspend: true } });
  await cluster.settle();
  await cluster.runPods();
  assert.deepEqual(await conditions(), ['Suspended JobSuspended']);
  assert.equal((await cluster.list(pods)).length, 0);
  await cluster.patch(jobs, 'task', { spec: { suspend: false } });
  await cluster.settle();
  assert.equal(await endAll('Succeeded'), 2);
  const { status } = await cluster.get(jobs, 'task');
  assert.deepEqual([status?.succeeded, status?.failed ?? 0], [2, 0]);
});

test('every index has its pod, and the status says which are done', async () => {
  await cluster.apply(jobs, task({ completionMode: 'Indexed', completions: 4, parallelism: 3 }));
  await cluster.settle();
  const byIndex = async (): Promise<Map<string | undefined, Pod>> =>
    new Map((await running()).map((pod) => [pod.metadata.labels?.['batch.kubernetes.io/job-completion-index'], pod]));
  const first = await byIndex();
  assert.deepEqual([...first.keys()].toSorted(), ['0', '1', '2']);
  await end(first.get('0')!, 'Succeeded');
  await end(first.get('2')!, 'Succeeded');
  await cluster.settle();
  assert.deepEqual([...(await byIndex()).keys()].toSorted(), ['1', '3']);
  assert.equal((await cluster.get(jobs, 'task')).status?.completedIndexes, '0,2');
  await endAll('Succeeded');
  assert.equal((await cluster.get(jobs, 'task')).status?.completedIndexes, '0-3');
  assert.ok((await conditions()).includes('Complete CompletionsReached'));
});

test('a finished job goes when its time is over, and its pods with it', async () => {
  await cluster.apply(jobs, task({ ttlSecondsAfterFinished: 100 }));
  await cluster.settle();
  await endAll('Succeeded');
  await cluster.clock.advance(seconds(90));
  assert.equal((await cluster.list(jobs)).length, 1);
  await cluster.clock.advance(seconds(20));
  await cluster.eventually(async () => {
    assert.deepEqual([(await cluster.list(jobs)).length, (await cluster.list(pods)).length], [0, 0]);
  });
});

const tracking = 'batch.kubernetes.io/job-tracking';
const trackedPods = async (): Promise<number> =>
  (await cluster.list(pods)).filter(({ metadata }) => metadata.finalizers?.includes(tracking)).length;

test('a pod is held until it is counted, and then let go of', async () => {
  await cluster.apply(jobs, task({ completions: 3, parallelism: 3 }));
  await cluster.settle();
  assert.equal(await trackedPods(), 3);
  const [first] = await running();
  await end(first!, 'Succeeded');
  await cluster.settle();
  assert.equal(await trackedPods(), 2);
  const { status } = await cluster.get(jobs, 'task');
  assert.deepEqual([status?.succeeded, status?.uncountedTerminatedPods], [1, {}]);
});

test('what ends and is deleted while no controller runs is counted by the next one', async () => {
  await cluster.apply(jobs, task({ completions: 4, parallelism: 3 }));
  await cluster.settle();
  const { api } = cluster;
  const [one, two, three] = await running();
  await cluster.stop();
  await end(one!, 'Succeeded');
  await end(two!, 'Failed');
  for (const { metadata } of [one!, two!, three!])
    await api.delete(pods, { namespace: 'default', name: metadata.name! }, { gracePeriodSeconds: 0 });
  cluster = await new Cluster({ api: () => api }).start();
  await cluster.settle();
  const { status } = await cluster.get(jobs, 'task');
  assert.deepEqual([status?.succeeded, status?.failed], [1, 2]);
});

test('pods of a job that is deleted go with it, whatever they are doing', async () => {
  for (const propagationPolicy of ['Background', 'Foreground'] as const) {
    await cluster.apply(jobs, task({ parallelism: 2, completions: 2 }));
    await cluster.settle();
    await cluster.runPods();
    await cluster.api.delete(jobs, { namespace: 'default', name: 'task' }, { propagationPolicy });
    await cluster.eventually(async () => {
      await cluster.runPods();
      assert.deepEqual([(await cluster.list(jobs)).length, (await cluster.list(pods)).length], [0, 0]);
    });
  }
});

test('pods that a job leaves behind are free', async () => {
  await cluster.apply(jobs, task({ parallelism: 2, completions: 2 }));
  await cluster.settle();
  await cluster.api.delete(jobs, { namespace: 'default', name: 'task' }, { propagationPolicy: 'Orphan' });
  await cluster.eventually(async () => {
    assert.deepEqual([(await cluster.list(jobs)).length, await trackedPods(), (await running()).length], [0, 0, 2]);
  });
});

test('a pod that is adopted is tracked, and one that is released is not', async () => {
  const { metadata, spec } = template('task', 'task:1', { nodeName: 'edge', restartPolicy: 'Never' });
  await cluster.apply(pods, { metadata: { ...metadata, name: 'stray' }, ...(spec ? { spec } : {}) } as Pod);
  await cluster.apply(jobs, task());
  await cluster.settle();
  const stray = await cluster.get(pods, 'stray');
  assert.deepEqual(stray.metadata.finalizers, [tracking]);
  assert.equal((await running()).length, 1);
  await cluster.patch(pods, 'stray', { metadata: { labels: { app: 'other' } } });
  await cluster.settle();
  assert.deepEqual((await cluster.get(pods, 'stray')).metadata.finalizers ?? [], []);
  assert.equal((await running()).length, 2);
});

test('a job that another controller manages is left alone', async () => {
  await cluster.apply(jobs, task({ managedBy: 'example.org/kueue' }));
  await cluster.settle();
  assert.equal((await cluster.list(pods)).length, 0);
  assert.equal((await cluster.get(jobs, 'task')).status?.startTime, undefined);
});

test('an elastic job grows and shrinks with its parallelism', async () => {
  await cluster.apply(jobs, task({ completionMode: 'Indexed', completions: 3, parallelism: 3 }));
  await cluster.settle();
  await cluster.patch(jobs, 'task', { spec: { completions: 1, parallelism: 1 } });
  await cluster.settle();
  await cluster.runPods();
  assert.equal((await running()).length, 1);
  await cluster.patch(jobs, 'task', { spec: { completions: 2, parallelism: 2 } });
  await cluster.settle();
  assert.equal(await endAll('Succeeded'), 2);
  const { status } = await cluster.get(jobs, 'task');
  assert.deepEqual([status?.completedIndexes, status?.failed ?? 0], ['0,1', 0]);
  assert.ok((await conditions()).includes('Complete CompletionsReached'));
});

test('a job that has met its success policy waits for the others to go before it is complete', async () => {
  const successPolicy = { rules: [{ succeededIndexes: '0' }] };
  await cluster.apply(jobs, task({ completionMode: 'Indexed', completions: 3, parallelism: 3, successPolicy }));
  await cluster.settle();
  await cluster.runPods();
  const first = (await running()).find(
    ({ metadata }) => metadata.labels?.['batch.kubernetes.io/job-completion-index'] === '0',
  );
  await end(first!, 'Succeeded');
  await cluster.settle();
  assert.deepEqual(await conditions(), ['SuccessCriteriaMet SuccessPolicy']);
  await cluster.runPods();
  assert.deepEqual(await conditions(), ['SuccessCriteriaMet SuccessPolicy', 'Complete SuccessPolicy']);
  const { status } = await cluster.get(jobs, 'task');
  assert.deepEqual([status?.succeeded, status?.failed ?? 0, status?.terminating], [1, 0, 0]);
});

test('failures of an index are handed on from pod to pod, until it is given up', async () => {
  const spec = { completionMode: 'Indexed', completions: 2, parallelism: 2, backoffLimitPerIndex: 1 };
  await cluster.apply(jobs, task(spec));
  await cluster.settle();
  const at = async (index: string): Promise<Pod[]> =>
    (await running()).filter(({ metadata }) => metadata.labels?.['batch.kubernetes.io/job-completion-index'] === index);
  await end((await at('1'))[0]!, 'Failed');
  await cluster.eventually(async () => assert.equal((await at('1')).length, 1));
  const [second] = await at('1');
  assert.equal(second!.metadata.annotations?.['batch.kubernetes.io/job-index-failure-count'], '1');
  await end(second!, 'Failed');
  await cluster.settle();
  assert.equal((await cluster.get(jobs, 'task')).status?.failedIndexes, '1');
  await endAll('Succeeded');
  const { status } = await cluster.get(jobs, 'task');
  assert.deepEqual([status?.completedIndexes, status?.failed], ['0', 2]);
  assert.deepEqual(await conditions(), ['FailureTarget FailedIndexes', 'Failed FailedIndexes']);
});
