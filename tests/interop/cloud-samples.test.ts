import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { createLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { hours, minutes, seconds } from '@kedge/core/time';
import { isStatus } from '@kedge/model/k8s';
import { messageId } from '@kedge/model/messages';
import { openDatabase } from '@kedge/platform/sqlite';
import { createSampleStore, sampleMigrations } from '@kedge/cloud/devicecontroller';
import { settle } from './cloud-rig.ts';

const device = { namespace: 'default', name: 'thermo-1' };

function open(limits = { perProperty: 100, age: hours(24), series: 2 }) {
  const clock = new FakeClock({ settle });
  const db = openDatabase({ path: ':memory:', migrations: sampleMigrations, durability: 'full' });
  const log = createLog({ now: () => clock.now(), level: 'error', write: () => undefined });
  const store = createSampleStore({ clock, log, db, limits });
  const report = (firstSequence: number, values: readonly string[], stream = 's', property = 'temperature') =>
    store.append({
      kind: 'samples.report',
      id: messageId('m'),
      at: 0,
      device,
      property,
      stream,
      firstSequence,
      samples: values.map((value, i) => ({ at: clock.now() + firstSequence + i, value })),
    });
  const values = (property = 'temperature') => store.read({ device, property, limit: 1_000 }).map(({ value }) => value);
  return { clock, store, report, values };
}

test('samples are read in the order of their sequence, each once, whatever the order and number of reports', async () => {
  const { report, values } = open();
  await report(3, ['c', 'd']);
  await report(1, ['a', 'b', 'c']);
  await report(3, ['c', 'd']);
  assert.deepEqual(values(), ['a', 'b', 'c', 'd']);
});

test('a stream that begins anew comes after the one before it', async () => {
  const { report, values } = open();
  await report(1, ['a', 'b']);
  await report(1, ['x', 'y'], 'other');
  assert.deepEqual(values(), ['a', 'b', 'x', 'y']);
});

test('reading goes on where it stopped, across streams', async () => {
  const { store, report } = open();
  await report(1, ['a', 'b', 'c']);
  await report(1, ['x', 'y'], 'other');
  const found: string[] = [];
  let after: { series: number; sequence: number } | undefined;
  for (;;) {
    const page = store.read({ device, property: 'temperature', after, limit: 2 });
    if (page.length === 0) break;
    found.push(...page.map(({ value }) => value));
    after = page.at(-1)!.cursor;
  }
  assert.deepEqual(found, ['a', 'b', 'c', 'x', 'y']);
});

test('too many properties are turned away with an error that lets the edge keep its samples', async () => {
  const { report, values } = open();
  await report(1, ['a'], 's', 'one');
  await report(1, ['b'], 's', 'two');
  await assert.rejects(report(1, ['c'], 's', 'three'), (error) => isStatus(error, 'TooManyRequests'));
  assert.deepEqual(values('two'), ['b']);
});

test('the newest are kept up to the bound, and none beyond their age', async () => {
  const { clock, store, report, values } = open({ perProperty: 3, age: hours(1), series: 2 });
  const scope = openScope({ name: 'samples', clock });
  store.start(scope);
  await report(1, ['a', 'b', 'c', 'd', 'e']);
  await clock.advance(minutes(2));
  assert.deepEqual(values(), ['c', 'd', 'e']);
  await clock.advance(hours(1));
  assert.deepEqual(values(), []);
  await clock.until(scope.close(seconds(1)));
});
