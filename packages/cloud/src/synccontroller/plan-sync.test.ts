// Record against API, as a table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@kedge/model/k8s';
import { planSync, type SyncStep } from './plan-sync.ts';

const current = (uid: string, resourceVersion: string): KubeObject => ({
  metadata: { name: 'a', uid, resourceVersion },
});

const table: [string, string, KubeObject | undefined, SyncStep][] = [
  ['the object is gone', '5', undefined, 'delete'],
  ['another has its name', '5', current('B', '5'), 'delete'],
  ['it moved on', '5', current('A', '6'), 'put'],
  ['it moved on by a digit', '9', current('A', '10'), 'put'],
  ['it was never acknowledged', '0', current('A', '1'), 'put'],
  ['it is as it was', '5', current('A', '5'), 'nothing'],
  ['our copy is behind', '6', current('A', '5'), 'nothing'],
  ['the version is no number', 'x', current('A', '5'), 'put'],
];

for (const [what, version, object, expected] of table) {
  test(`when ${what}: ${expected}`, () => assert.equal(planSync({ uid: 'A', version }, object), expected));
}
