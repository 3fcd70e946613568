// What becomes of a wish to go back to an earlier revision.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, ReplicaSet } from '@kedge/model/k8s-types';
import { planRollback } from './plan-rollback.ts';

const template = (image: string, hash?: string) => ({
  metadata: { labels: { app: 'web', ...(hash ? { 'pod-template-hash': hash } : {}) } },
  spec: { containers: [{ name: 'main', image }] },
});
const set = (revision: string, image: string, annotations: Record<string, string> = {}): ReplicaSet => ({
  metadata: { name: `web-${revision}`, annotations: { 'deployment.kubernetes.io/revision': revision, ...annotations } },
  spec: { selector: {}, template: template(image, revision) },
});
const deployment = (to: string): Deployment => ({
  metadata: {
    name: 'web',
    annotations: {
      'deprecated.deployment.rollback.to': to,
      'deployment.kubernetes.io/revision': '3',
      'kubernetes.io/change-cause': 'third',
    },
  },
  spec: { selector: {}, template: template('app:3') },
});
const sets = [set('1', 'app:1', { 'kubernetes.io/change-cause': 'first' }), set('2', 'app:2'), set('3', 'app:3')];

const table: [what: string, to: string, sets: ReplicaSet[], expected: string][] = [
  ['a revision', '1', sets, 'Rolled back deployment "web" to revision 1: app:1'],
  ['the one before', '0', sets, 'Rolled back deployment "web" to revision 2: app:2'],
  ['there is none before', '0', sets.slice(2), 'DeploymentRollbackRevisionNotFound: Unable to find last revision.'],
  ['there is none', '7', sets, 'DeploymentRollbackRevisionNotFound: Unable to find the revision to rollback to.'],
  [
    'it is what there is',
    '3',
    sets,
    'DeploymentRollbackTemplateUnchanged: The rollback revision contains the same template as current deployment "web"',
  ],
];
for (const [what, to, all, expected] of table) {
  test(`rollback: ${what}`, () => {
    const plan = planRollback(deployment(to), all)!;
    const said = plan.ok
      ? `${plan.message}: ${plan.template.spec?.containers[0]?.image}`
      : `${plan.reason}: ${plan.message}`;
    assert.equal(said, expected);
    assert.equal(plan.annotations['deprecated.deployment.rollback.to'], undefined);
    assert.equal(plan.annotations['deployment.kubernetes.io/revision'], '3');
  });
}

test('rollback: the annotations of the revision come back, the label of its pods does not', () => {
  const plan = planRollback(deployment('1'), sets)!;
  assert.ok(plan.ok);
  assert.equal(plan.annotations['kubernetes.io/change-cause'], 'first');
  assert.deepEqual(plan.template.metadata?.labels, { app: 'web' });
});

test('rollback: a wish that is no number is none', () => {
  assert.equal(planRollback(deployment('back'), sets), undefined);
});
