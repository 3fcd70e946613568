// How many evictions a budget allows, as a table.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { instant } from '@kedge/core/time';
import type { Pod, PodDisruptionBudgetSpec, PodDisruptionBudgetStatus } from '@kedge/model/k8s-types';
import { type BudgetFacts, budgetStatus, nextExpiry } from './budget-status.ts';

const now = instant(Date.UTC(2026, 0, 1, 12));
const pods = (ready: number, sick = 0): Pod[] =>
  Array.from({ length: ready + sick }, (_, at) => ({
    metadata: { name: `web-${at}` },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: at < ready ? 'True' : 'False' }] },
  }));
const status = (
  spec: PodDisruptionBudgetSpec,
  all: readonly Pod[],
  scale: BudgetFacts['scale'] = { ok: true, replicas: all.length },
  before?: Partial<PodDisruptionBudgetStatus>,
) =>
  budgetStatus({
    budget: {
      metadata: { name: 'web', generation: 2 },
      spec,
      ...(before ? { status: before as PodDisruptionBudgetStatus } : {}),
    },
    pods: all,
    scale,
    now,
  });

const table: [what: string, PodDisruptionBudgetSpec, Pod[], allowed: number, desired: number, expected: number][] = [
  ['a number that has to stay', { minAvailable: 2 }, pods(3), 1, 2, 3],
  ['a share that has to stay', { minAvailable: '50%' }, pods(3), 1, 2, 3],
  ['a number that may go', { maxUnavailable: 1 }, pods(3), 1, 2, 3],
  ['one that is sick has gone already', { maxUnavailable: 1 }, pods(2, 1), 0, 2, 3],
  ['a share that may go', { maxUnavailable: '34%' }, pods(4), 2, 2, 4],
  ['a budget that says nothing', {}, pods(3), 0, 0, 0],
  ['nothing to evict', { maxUnavailable: 1 }, [], 0, 0, 0],
];

describe('a budget', () => {
  for (const [what, spec, all, allowed, desired, expected] of table) {
    test(what, () => {
      const { disruptionsAllowed, desiredHealthy, expectedPods, conditions } = status(spec, all);
      assert.deepEqual([disruptionsAllowed, desiredHealthy, expectedPods], [allowed, desired, expected]);
      const [condition] = conditions ?? [];
      assert.equal(condition?.reason, allowed > 0 ? 'SufficientPods' : 'InsufficientPods');
    });
  }

  test('allows nothing when nobody knows how many there should be', () => {
    const found = status({ maxUnavailable: 1 }, pods(3), { ok: false, why: 'found no scale for Robot r2' });
    assert.deepEqual([found.disruptionsAllowed, found.conditions?.[0]?.reason], [0, 'SyncFailed']);
  });

  test('counts an eviction that does not show yet, for two minutes', () => {
    const disruptedPods = {
      'web-0': '2026-01-01T11:59:00Z',
      'web-1': '2026-01-01T11:50:00Z',
      gone: '2026-01-01T12:00:00Z',
    };
    const found = status({ minAvailable: 1 }, pods(3), undefined, { disruptedPods });
    assert.deepEqual([found.disruptionsAllowed, Object.keys(found.disruptedPods ?? {})], [1, ['web-0']]);
    assert.equal(nextExpiry(found, now), 60_000);
  });
});
