// CronJobs over a whole cluster.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { minutes } from '@kedge/core/time';
import { collections } from '@kedge/engine/kube-client';
import type { CronJob, CronJobSpec } from '@kedge/model/k8s-types';
import { template } from './builders.ts';
import { Cluster } from './cluster.ts';

const { cronJobs, jobs, pods } = collections;
let cluster: Cluster;
beforeEach(async () => {
  cluster = await new Cluster().start();
});
afterEach(() => cluster.stop());

const report = (spec: Partial<CronJobSpec> = {}): CronJob => ({
  apiVersion: 'batch/v1',
  kind: 'CronJob',
  metadata: { name: 'report' },
  spec: {
    schedule: '*/10 * * * *',
    concurrencyPolicy: 'Allow',
    suspend: false,
    successfulJobsHistoryLimit: 2,
    failedJobsHistoryLimit: 1,
    jobTemplate: {
      metadata: { labels: { of: 'report' } },
      spec: {
        completions: 1,
        parallelism: 1,
        selector: { matchLabels: { app: 'report' } },
        template: template('report', 'report:1', { restartPolicy: 'Never' }),
      },
    },
    ...spec,
  },
});
async function succeed(): Promise<void> {
  for (const { metadata, status } of await cluster.list(pods)) {
    if (status?.phase !== 'Pending') continue;
    const target = { namespace: 'default', name: metadata.name!, subresource: 'status' };
    await cluster.api.patch(pods, target, 'merge', '{"status":{"phase":"Succeeded"}}');
  }
  await cluster.settle();
}
const names = async (): Promise<string[]> =>
  (await cluster.list(jobs)).map(({ metadata }) => metadata.name!).toSorted();

test('every time has its job, and the last few are kept', async () => {
  await cluster.apply(cronJobs, report());
  for (let turn = 0; turn < 4; turn++) {
    await cluster.clock.advance(minutes(10));
    assert.equal((await cluster.get(cronJobs, 'report')).status?.active?.length, 1);
    await succeed();
  }
  await cluster.settle();
  const { status } = await cluster.get(cronJobs, 'report');
  assert.deepEqual([status?.active, status?.lastScheduleTime], [undefined, '2026-01-01T00:40:00Z']);
  assert.ok(status?.lastSuccessfulTime);
  assert.equal((await names()).length, 2);
  const [job] = await cluster.list(jobs);
  assert.deepEqual([job?.metadata.labels, job?.metadata.ownerReferences?.[0]?.kind], [{ of: 'report' }, 'CronJob']);
  assert.ok(
    (await cluster.eventsAbout('report')).some((one) => one.startsWith('SuccessfulCreate: Created job report-')),
  );
});

test('Forbid waits for the job before, Replace does not', async () => {
  await cluster.apply(cronJobs, report({ concurrencyPolicy: 'Forbid' }));
  await cluster.clock.advance(minutes(21));
  const [first] = await names();
  assert.equal((await names()).length, 1);
  await cluster.patch(cronJobs, 'report', { spec: { concurrencyPolicy: 'Replace' } });
  await cluster.clock.advance(minutes(10));
  const after = await names();
  assert.equal(after.length, 1);
  assert.notEqual(after[0], first);
});

test('a suspended one does nothing until it goes on', async () => {
  await cluster.apply(cronJobs, report({ suspend: true }));
  await cluster.clock.advance(minutes(30));
  assert.deepEqual(await names(), []);
  await cluster.patch(cronJobs, 'report', { spec: { suspend: false } });
  await cluster.settle();
  assert.equal((await names()).length, 1);
});
