import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ApiUser } from '@kedge/engine/kube-api';
import type { PolicyRule } from '@kedge/model/k8s-types';
import type { Attributes } from './attributes.ts';
import { allows, createRbac } from './rbac.ts';

const on = (verb: string, what: string, name = '', namespace = 'a'): Attributes => {
  const [group = '', whole = ''] = what.split(':');
  const [resource = '', subresource = ''] = whole.split('/');
  return { isResource: true, verb, group, resource, subresource, namespace, name };
};
const path = (verb: string, at: string): Attributes => ({ isResource: false, verb, path: at });

describe('a rule', () => {
  const table: readonly [rule: Partial<PolicyRule>, attributes: Attributes, allowed: boolean][] = [
    [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }, on('get', ':pods'), true],
    [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }, on('list', ':pods'), false],
    [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, on('delete', 'apps:deployments/scale'), true],
    [{ verbs: ['get'], apiGroups: ['apps'], resources: ['pods'] }, on('get', ':pods'), false],
    [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }, on('get', ':pods/log'), false],
    [{ verbs: ['get'], apiGroups: [''], resources: ['pods/log'] }, on('get', ':pods/log'), true],
    [{ verbs: ['get'], apiGroups: [''], resources: ['*/scale'] }, on('get', ':replicationcontrollers/scale'), true],
    [{ verbs: ['get'], apiGroups: [''], resources: ['pods'], resourceNames: ['x'] }, on('get', ':pods', 'x'), true],
    [{ verbs: ['get'], apiGroups: [''], resources: ['pods'], resourceNames: ['x'] }, on('get', ':pods', 'y'), false],
    [{ verbs: ['list'], apiGroups: [''], resources: ['pods'], resourceNames: ['x'] }, on('list', ':pods'), false],
    [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }, path('get', '/healthz'), true],
    [{ verbs: ['get'], nonResourceURLs: ['/healthz'] }, path('get', '/healthz/x'), false],
    [{ verbs: ['get'], nonResourceURLs: ['/api/*'] }, path('get', '/api/v1'), true],
    [{ verbs: ['get'], nonResourceURLs: ['*'] }, path('get', '/anything'), true],
    [{ verbs: ['get'], nonResourceURLs: ['*'] }, on('get', ':pods'), false],
  ];
  for (const [rule, attributes, allowed] of table) {
    test(`${JSON.stringify(rule)} ${allowed ? 'allows' : 'does not allow'} ${JSON.stringify(attributes)}`, () =>
      assert.equal(allows(rule as PolicyRule, attributes), allowed));
  }
});

describe('RBAC', () => {
  const rules = [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }];
  const ref = (kind: string, name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name });
  const rbac = createRbac(() => ({
    roles: [{ metadata: { name: 'r', namespace: 'a' }, rules }],
    clusterRoles: [
      { metadata: { name: 'part', labels: { into: 'whole' } }, rules },
      {
        metadata: { name: 'whole' },
        rules: [],
        aggregationRule: { clusterRoleSelectors: [{ matchLabels: { into: 'whole' } }] },
      },
    ],
    roleBindings: [
      {
        metadata: { name: 'b', namespace: 'a' },
        roleRef: ref('Role', 'r'),
        subjects: [{ kind: 'User', name: 'anna' }],
      },
      {
        metadata: { name: 'c', namespace: 'b' },
        roleRef: ref('ClusterRole', 'part'),
        subjects: [{ kind: 'ServiceAccount', name: 'robot' }],
      },
    ],
    clusterRoleBindings: [
      { metadata: { name: 'd' }, roleRef: ref('ClusterRole', 'whole'), subjects: [{ kind: 'Group', name: 'ops' }] },
    ],
  }));
  const user = (name: string, ...groups: string[]): ApiUser => ({ name, groups });
  const may = (who: ApiUser, namespace: string): boolean =>
    rbac.decide(who, on('get', ':pods', 'x', namespace)).allowed;

  test('binds users in their namespace, accounts by their full name, groups everywhere', () => {
    assert.deepEqual([may(user('anna'), 'a'), may(user('anna'), 'b')], [true, false]);
    assert.deepEqual(
      [may(user('system:serviceaccount:b:robot'), 'b'), may(user('system:serviceaccount:a:robot'), 'b')],
      [true, false],
    );
    assert.deepEqual(
      [may(user('olga', 'ops'), 'a'), may(user('olga', 'ops'), ''), may(user('olga'), 'a')],
      [true, true, false],
    );
  });
});
