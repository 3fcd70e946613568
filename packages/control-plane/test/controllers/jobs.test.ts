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
