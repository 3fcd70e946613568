// The roles a cluster is born with: what they allow, what is put back at a start, and how aggregated ones are kept.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KubeObject } from '@kedge/model/k8s';
import type { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '@kedge/model/k8s-types';
import {
  defaultClusterRoleBindings,
  defaultClusterRoles,
  defaultRoleBindings,
  defaultRoles,
} from '../bootstrap/default-roles.ts';
import { planAggregation } from './aggregate-roles.ts';
import { coversRule, planReconciled } from './plan-roles.ts';
import { createRbac } from './rbac.ts';

const roles = defaultClusterRoles() as unknown as ClusterRole[];
const person = (role: string): ClusterRoleBinding => ({
  metadata: { name: role },
  roleRef: { apiGroup: '', kind: 'ClusterRole', name: role },
  subjects: [{ kind: 'User', name: role }],
});
const rbac = createRbac(() => ({
  roles: defaultRoles() as unknown as Role[],
  clusterRoles: roles,
  roleBindings: defaultRoleBindings() as unknown as RoleBinding[],
  clusterRoleBindings: [
    ...(defaultClusterRoleBindings() as unknown as ClusterRoleBinding[]),
    ...['admin', 'edit', 'view'].map(person),
  ],
}));
function may(
  name: string,
  verb: string,
  what: string,
  namespace = 'default',
  group = '',
  groups: string[] = [],
): boolean {
  const [resource = '', subresource = ''] = what.split('/');
  const attributes = { isResource: true, verb, group, resource, subresource, namespace, name: '' } as const;
  return rbac.decide({ name, groups }, attributes).allowed;
}

describe('the default roles', () => {
  const table: [who: string, verb: string, what: string, group: string, may: boolean][] = [
    ['view', 'get', 'pods', '', true],
    ['view', 'get', 'secrets', '', false],
    ['view', 'create', 'pods', '', false],
    ['edit', 'get', 'secrets', '', true],
    ['edit', 'create', 'deployments', 'apps', true],
    ['edit', 'create', 'roles', 'rbac.authorization.k8s.io', false],
    ['edit', 'create', 'pods/exec', '', true],
    ['admin', 'get', 'pods', '', true],
    ['admin', 'create', 'rolebindings', 'rbac.authorization.k8s.io', true],
    ['admin', 'update', 'resourcequotas', '', false],
    ['admin', 'create', 'namespaces', '', false],
    ['system:kube-scheduler', 'create', 'pods/binding', '', true],
    ['system:kube-scheduler', 'create', 'deployments', 'apps', false],
    ['system:serviceaccount:kube-system:deployment-controller', 'update', 'replicasets', 'apps', true],
    ['system:serviceaccount:kube-system:deployment-controller', 'get', 'secrets', '', false],
  ];
  for (const [who, verb, what, group, expected] of table) {
    test(`${who} ${expected ? 'may' : 'may not'} ${verb} ${what}`, () =>
      assert.equal(may(who, verb, what, 'default', group), expected));
  }
  test('are the ones that clients know by name', () => {
    const names = roles.map(({ metadata }) => metadata.name!);
    for (const name of [
      'cluster-admin',
      'system:node',
      'system:auth-delegator',
      'system:node-bootstrapper',
      'system:kube-dns',
    ])
      assert.ok(names.includes(name), name);
    assert.equal(new Set(names).size, names.length);
  });
});

describe('what is put back at a start', () => {
  const [wanted] = defaultClusterRoles().filter(({ metadata }) => metadata.name === 'system:basic-user');
  const role = wanted as KubeObject & { rules: object[] };

  test('is what is missing; what was added stays', () => {
    assert.equal(planReconciled(role, role), undefined);
    const added = { apiGroups: ['x'], resources: ['y'], verbs: ['get'] };
    const changed = { ...role, rules: [added] };
    assert.deepEqual((planReconciled(changed, role) as typeof role).rules, [added, ...role.rules]);
    const wider = { ...role, rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] };
    assert.equal(planReconciled(wider, role), undefined);
  });

  test('is nothing where somebody has switched it off', () => {
    const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
    assert.equal(planReconciled({ ...role, metadata: { ...role.metadata, annotations }, rules: [] }, role), undefined);
  });

  test('goes for subjects, too', () => {
    const [binding] = defaultClusterRoleBindings();
    const mine = { kind: 'User', name: 'me', apiGroup: 'rbac.authorization.k8s.io' };
    const next = planReconciled({ ...binding!, subjects: [mine] }, binding!);
    assert.deepEqual(next!['subjects'], [mine, ...(binding!['subjects'] as object[])]);
  });

  test('a rule covers another when it allows all of it', () => {
    const rule = { apiGroups: [''], resources: ['pods'], verbs: ['get'] };
    assert.ok(coversRule({ ...rule, verbs: ['*'] }, rule));
    assert.ok(!coversRule({ ...rule, resourceNames: ['a'] }, rule));
    assert.ok(coversRule({ ...rule, resourceNames: ['a', 'b'] }, { ...rule, resourceNames: ['a'] }));
    assert.ok(coversRule({ nonResourceURLs: ['/a/*'], verbs: ['get'] }, { nonResourceURLs: ['/a/b'], verbs: ['get'] }));
  });
});

test('aggregated roles hold the rules of what they aggregate, through other aggregated roles', () => {
  const planned = planAggregation(roles);
  assert.deepEqual(planned.map(({ name }) => name).sort(), ['admin', 'edit', 'view']);
  const written = roles.map((role) => ({
    ...role,
    rules: planned.find(({ name }) => name === role.metadata.name)?.rules ?? role.rules,
  }));
  assert.deepEqual(planAggregation(written as ClusterRole[]), []);
  const custom: ClusterRole = {
    metadata: { name: 'crontabs', labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } },
    rules: [{ apiGroups: ['x'], resources: ['crontabs'], verbs: ['get'] }],
  };
  const next = planAggregation([...(written as ClusterRole[]), custom]);
  assert.deepEqual(next.map(({ name }) => name).sort(), ['admin', 'edit', 'view']);
});
