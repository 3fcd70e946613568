import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { minutes, seconds } from '@kedge/core/time';
import type { Pod } from '@kedge/model/k8s-types';
import { planShutdown, shutdownTime, type ShutdownSettings } from './plan-shutdown.ts';

const critical = 2_000_000_000;
const pod = (name: string, priority?: number, terminationGracePeriodSeconds = 30): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', uid: name },
  spec: { containers: [], terminationGracePeriodSeconds, ...(priority === undefined ? {} : { priority }) },
});
const settings = (...groups: [priority: number, seconds: number][]): ShutdownSettings => ({
  groups: groups.map(([priority, howLong]) => ({ priority, period: seconds(howLong) })),
});
const shown = (...[by, pods]: Parameters<typeof planShutdown>): string[] =>
  planShutdown(by, pods).map(
    ({ period, ends }) =>
      `${period / 1_000}s: ${ends.map(({ pod: { metadata }, grace }) => `${metadata.name} ${grace / 1_000}`).join(', ')}`,
  );

describe('pods of a machine that goes down', () => {
  const two = settings([0, 20], [critical, 10]);
  const tiers = settings([0, 60], [1_000, 120], [10_000, 180], [100_000, 10]);
  const cases: [string, ShutdownSettings, Pod[], string[]][] = [
    ['critical pods end last', two, [pod('dns', critical), pod('app')], ['20s: app 20', '10s: dns 10']],
    ['a shorter grace period is left as it is', two, [pod('app', 0, 5)], ['20s: app 5']],
    ['a pod gets a second at least', settings([0, 0]), [pod('app', 0, 0)], ['0s: app 1']],
    ['a group without pods is not waited for', two, [pod('dns', critical + 1_000)], ['10s: dns 10']],
    ['nothing runs', two, [], []],
    [
      'each group takes what is from its priority up to the next',
      tiers,
      [pod('a', 999), pod('b', 1_000), pod('c', 9_999), pod('d', 100_000), pod('e', 10_000, 600)],
      ['60s: a 30', '120s: b 30, c 30', '180s: e 180', '10s: d 10'],
    ],
    ['a priority below all groups ends with the lowest', settings([10, 5], [20, 6]), [pod('low', -7)], ['5s: low 5']],
    ['one that is being deleted keeps what the deletion grants, within its group', two, [terminating(3)], ['20s: x 3']],
  ];
  for (const [name, by, pods, steps] of cases) test(name, () => assert.deepEqual(shown(by, pods), steps));

  test('the machine is asked for the time of all groups', () => {
    assert.equal(shutdownTime(tiers), minutes(6) + seconds(10));
  });
});

function terminating(deletionGracePeriodSeconds: number): Pod {
  const { metadata, ...rest } = pod('x');
  const deletionTimestamp = '2026-01-01T00:00:00Z';
  return { ...rest, metadata: { ...metadata, deletionTimestamp, deletionGracePeriodSeconds } };
}
