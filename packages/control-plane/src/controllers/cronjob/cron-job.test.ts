// Schedules and what CronJobs make of them, as tables.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Instant, instant, parseTime, toTime } from '@kedge/core/time';
import type { CronJob, CronJobSpec, CronJobStatus, Job } from '@kedge/model/k8s-types';
import { dueTimes, parseSchedule, toZonedTime } from './cron-schedule.ts';
import { planCronJob, planHistory } from './plan-cron-job.ts';

const at = (text: string): Instant => parseTime(text)!;

const schedules: [text: string, zone: string, from: string, next: string | undefined][] = [
  ['* * * * *', 'UTC', '2026-01-01T12:00:00Z', '2026-01-01T12:01:00Z'],
  ['*/15 * * * *', 'UTC', '2026-01-01T12:15:30Z', '2026-01-01T12:30:00Z'],
  ['5/20 * * * *', 'UTC', '2026-01-01T12:00:00Z', '2026-01-01T12:05:00Z'],
  ['0 9-17/4 * * mon-fri', 'UTC', '2026-01-02T17:30:00Z', '2026-01-05T09:00:00Z'],
  ['0 0 13 * fri', 'UTC', '2026-01-01T00:00:00Z', '2026-01-02T00:00:00Z'],
  ['0 0 13 * *', 'UTC', '2026-01-14T00:00:00Z', '2026-02-13T00:00:00Z'],
  ['0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', '2028-02-29T00:00:00Z'],
  ['0 0 31 2 *', 'UTC', '2026-01-01T00:00:00Z', undefined],
  ['@hourly', 'UTC', '2026-01-01T12:59:59Z', '2026-01-01T13:00:00Z'],
  ['@weekly', 'UTC', '2026-01-01T00:00:00Z', '2026-01-04T00:00:00Z'],
  ['@every 90m', 'UTC', '2026-01-01T12:00:00Z', '2026-01-01T13:30:00Z'],
  ['0 9 * * *', 'America/New_York', '2026-01-01T12:00:00Z', '2026-01-01T14:00:00Z'],
  ['0 9 * * *', 'America/New_York', '2026-07-01T12:00:00Z', '2026-07-01T13:00:00Z'],
  ['30 5 * * *', 'Asia/Kolkata', '2026-01-01T12:00:00Z', '2026-01-02T00:00:00Z'],
  // Half past two does not exist on the day the clocks go forward, and exists twice when they go back.
  ['30 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T00:30:00Z'],
  ['30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00Z'],
  ['30 2 * * *', 'Europe/Berlin', '2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
];

describe('a schedule', () => {
  for (const [text, zone, from, next] of schedules) {
    test(`${text} in ${zone} after ${from}`, () => {
      const found = parseSchedule(text, zone)?.next(at(from));
      assert.equal(found && toTime(found), next);
    });
  }
  for (const text of ['', '* * * *', '60 * * * *', '* * 0 * *', '5-1 * * * *', '*/0 * * * *', 'a * * * *', '@every x'])
    test(`refuses "${text}"`, () => assert.equal(parseSchedule(text), undefined));
  test('refuses a zone that does not exist', () => assert.equal(parseSchedule('@daily', 'Mars/Olympus'), undefined));

  test('finds the last of very many times that were missed', () => {
    const { latest, missed } = dueTimes(
      parseSchedule('* * * * *')!,
      at('2016-01-01T00:00:00Z'),
      at('2026-01-01T12:00:30Z'),
    );
    assert.deepEqual([toTime(latest!), missed], ['2026-01-01T12:00:00Z', 'many']);
  });
});

const job = (name: string, type?: 'Complete' | 'Failed', startTime = name): Job => ({
  metadata: { name },
  status: { startTime, ...(type ? { conditions: [{ type, status: 'True' }] } : {}) },
});
const cronJob = (spec: Partial<CronJobSpec> = {}, status: CronJobStatus = {}): CronJob => ({
  metadata: { name: 'report', creationTimestamp: '2026-01-01T11:30:00Z' },
  spec: { schedule: '0 * * * *', jobTemplate: {}, ...spec },
  status,
});
const noon = instant(Date.UTC(2026, 0, 1, 12, 0, 5));
const served = { lastScheduleTime: '2026-01-01T12:00:00Z' };

const plans: [what: string, of: CronJob, active: Job[], run: string | undefined, skipped?: string][] = [
  ['a time that is due', cronJob(), [], '2026-01-01T12:00:00Z'],
  ['one that was served', cronJob({}, served), [], undefined],
  [
    'the last of those that were missed',
    cronJob({}, { lastScheduleTime: '2026-01-01T08:00:00Z' }),
    [],
    '2026-01-01T12:00:00Z',
  ],
  ['suspended', cronJob({ suspend: true }), [], undefined, 'suspended'],
  ['within the deadline', cronJob({ startingDeadlineSeconds: 10 }), [], '2026-01-01T12:00:00Z'],
  ['too late', cronJob({ startingDeadlineSeconds: 3 }), [], undefined, 'too late'],
  ['beside another', cronJob({ concurrencyPolicy: 'Allow' }), [job('a')], '2026-01-01T12:00:00Z'],
  ['not beside another', cronJob({ concurrencyPolicy: 'Forbid' }), [job('a')], undefined, 'still running'],
  ['instead of another', cronJob({ concurrencyPolicy: 'Replace' }), [job('a')], '2026-01-01T12:00:00Z'],
];

describe('a CronJob', () => {
  for (const [what, of, active, run, skipped] of plans) {
    test(what, () => {
      const plan = planCronJob(of, active, parseSchedule(of.spec!.schedule)!, noon);
      assert.deepEqual([plan.run && toTime(plan.run), plan.skipped], [run, skipped]);
      assert.equal(plan.replace.length, of.spec?.concurrencyPolicy === 'Replace' ? 1 : 0);
      if (skipped !== 'suspended') assert.equal(plan.wait, 3_595_000);
    });
  }

  test('keeps the last few of each sort', () => {
    const all = [job('3', 'Complete'), job('1', 'Complete'), job('2', 'Failed'), job('0', 'Failed'), job('4')];
    const gone = planHistory(cronJob({ successfulJobsHistoryLimit: 1, failedJobsHistoryLimit: 0 }), all);
    assert.deepEqual(
      gone.map(({ metadata }) => metadata.name),
      ['1', '0', '2'],
    );
  });
});

test('a time is shown as the clocks of its zone show it', () => {
  assert.equal(toZonedTime(at('2026-07-01T13:00:00Z'), 'America/New_York'), '2026-07-01T09:00:00-04:00');
  assert.equal(toZonedTime(at('2026-01-01T00:00:00Z'), 'Asia/Kolkata'), '2026-01-01T05:30:00+05:30');
  assert.equal(toZonedTime(at('2026-01-01T00:00:00Z')), '2026-01-01T00:00:00Z');
});
