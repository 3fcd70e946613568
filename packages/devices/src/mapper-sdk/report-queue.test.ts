// Samples are delivered in order and never lost, whatever edgecore does; possible duplicates are marked.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { FakeClock } from '@kedge/core/testing';
import { seconds } from '@kedge/core/time';
import type { DeviceManager } from '@kedge/wire/dmi';
import { rpcErrors, rpcFailure } from '@kedge/wire/rpc';
import { ReportQueue } from './report-queue.ts';

type Report = Parameters<DeviceManager['reportDeviceStatus']>[0];

function place(answer: (report: Report, attempt: number) => void) {
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const stored: { value: string; duplicate: boolean }[] = [];
  let attempts = 0;
  let back = 0;
  const manager = {
    reportDeviceStatus: async (report: Report) => {
      answer(report, ++attempts);
      for (const { reported } of report.reportedDevice!.twins!) {
        stored.push({ value: reported!.value!, duplicate: reported!.metadata!['duplicate'] === 'true' });
      }
      return {};
    },
  } as unknown as DeviceManager;
  const metrics = createMetrics();
  const queue = new ReportQueue({
    clock,
    log: silentLog,
    metrics,
    random: () => 0,
    manager,
    onBack: () => void (back += 1),
  });
  const stop = new AbortController();
  const running = queue.run(stop.signal);
  const add = (...values: string[]): void =>
    void queue.add(
      { namespace: 'default', name: 'd' },
      values.map((value, n) => ({ property: 'p', value, observedDesired: '', type: 'int', at: n + 1 })),
    );
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  return { clock, queue, stored, add, end, metrics, attempts: () => attempts, back: () => back };
}

const unreachable = rpcErrors.UNREACHABLE({ method: 'm', address: 'a', reason: 'gone' });

test('one after the other, a value of a property in each report', async () => {
  const { clock, add, stored, attempts, end } = place(() => undefined);
  add('1', '2', '3');
  await clock.advance(seconds(1));
  assert.deepEqual(
    stored.map(({ value }) => value),
    ['1', '2', '3'],
  );
  assert.equal(attempts(), 3);
  await end();
});

test('while edgecore is away they wait; what may have arrived is marked', async () => {
  let away = true;
  const { clock, add, stored, end, back, queue } = place(() => {
    if (away) throw unreachable;
  });
  add('1', '2');
  await clock.advance(seconds(60));
  assert.deepEqual([stored.length, queue.size], [0, 2]);
  away = false;
  add('3');
  await clock.advance(seconds(60));
  assert.deepEqual(stored, [
    { value: '1', duplicate: true },
    { value: '2', duplicate: false },
    { value: '3', duplicate: false },
  ]);
  assert.equal(back(), 1);
  await end();
});

test('a report that is refused for now is no duplicate; one that is refused for ever is dropped alone', async () => {
  const { clock, add, stored, end } = place((report, attempt) => {
    if (attempt === 1) throw rpcFailure('RESOURCE_EXHAUSTED', 'fail because of too many request: d');
    if (report.reportedDevice!.twins![0]!.reported!.value === '2') throw rpcFailure('INVALID_ARGUMENT', 'no');
  });
  add('1', '2', '3');
  await clock.advance(seconds(60));
  assert.deepEqual(stored, [
    { value: '1', duplicate: false },
    { value: '3', duplicate: false },
  ]);
  await end();
});

test('what is too much to keep goes from the oldest on, and is counted', async () => {
  const { clock, add, end, queue, metrics } = place(() => {
    throw unreachable;
  });
  add(...Array.from({ length: 10_005 }, (_, n) => String(n)));
  await clock.advance(seconds(1));
  assert.equal(queue.size, 10_000);
  assert.match(metrics.format(), /outcome="overflow"\} 5/);
  await end();
});

test('a report of which one value is refused for ever costs that value alone', async () => {
  const { clock, queue, stored, end } = place((report) => {
    if (report.reportedDevice!.twins!.some(({ reported }) => reported!.value === 'bad')) {
      throw rpcFailure('INVALID_ARGUMENT', 'too long');
    }
  });
  const sample = (property: string, value: string) => ({ property, value, observedDesired: '', type: 'int', at: 1 });
  queue.add({ namespace: 'default', name: 'd' }, [sample('a', '1'), sample('b', 'bad'), sample('c', '3')]);
  await clock.advance(seconds(60));
  assert.deepEqual(
    stored.map(({ value }) => value),
    ['1', '3'],
  );
  await end();
});
