// Nobody hands out more than they have, whichever way they write it and as whomever they act.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { refusal } from './refusal.ts';
import { type OpenServer, openTestServer } from './test-server.ts';

const group = 'rbac.authorization.k8s.io';
const of = (resource: string) => ({ group, version: 'v1', resource });
const [roles, bindings, clusterRoles, clusterBindings] = [
  'roles',
  'rolebindings',
  'clusterroles',
  'clusterrolebindings',
].map(of) as [ReturnType<typeof of>, ReturnType<typeof of>, ReturnType<typeof of>, ReturnType<typeof of>];

let running: OpenServer;
let system: KubeApi;
const as = (name: string): KubeApi => running.server.localApi({ name, groups: ['system:authenticated'] });
const user = (name: string) => [{ apiGroup: group, kind: 'User', name }];
const roleRef = (name: string, kind = 'ClusterRole') => ({ apiGroup: group, kind, name });
const binding = (name: string, to: string, subject: string): KubeObject => ({
  metadata: { name },
  roleRef: roleRef(to),
  subjects: user(subject),
});
const role = (name: string, ...rules: object[]): KubeObject => ({ metadata: { name }, rules });
const mayWrite = { apiGroups: [group], resources: ['*'], verbs: ['create', 'update', 'patch', 'get', 'list'] };
const reads = { apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] };

before(async () => {
  running = await openTestServer('escalation');
  system = running.api;
  await system.create(clusterRoles, undefined, role('writer', mayWrite, reads));
  await system.create(clusterBindings, undefined, binding('ann', 'writer', 'ann'));
  await system.create(clusterBindings, undefined, binding('bob', 'writer', 'bob'));
  const verbs = { apiGroups: [group], resources: ['clusterroles', 'roles'], verbs: ['bind', 'escalate'] };
  await system.create(clusterRoles, undefined, role('granter', { ...verbs, resourceNames: ['granted'] }));
  await system.create(clusterBindings, undefined, binding('bob-grants', 'granter', 'bob'));
});
after(() => running.stop());

test('a role may hold what its writer holds, and the refusal lists what is missing', async () => {
  await as('ann').create(roles, 'default', role('fine', reads));
  const greedy = role('greedy', reads, { apiGroups: ['', 'apps'], resources: ['secrets'], verbs: ['get', 'list'] });
  const { code, message } = await refusal(as('ann').create(roles, 'default', greedy));
  assert.equal(code, 403);
  assert.equal(
    message,
    'roles.rbac.authorization.k8s.io "greedy" is forbidden: user "ann" (groups=["system:authenticated"]) is attempting to ' +
      'grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}\n' +
      '{APIGroups:["apps"], Resources:["secrets"], Verbs:["get" "list"]}',
  );
});

test('a role is not made to hold more by an update or a patch either', async () => {
  const more = JSON.stringify({ rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] });
  const target = { namespace: 'default', name: 'fine' };
  assert.equal((await refusal(as('ann').patch(roles, target, 'merge', more))).code, 403);
  const stored = await system.get(roles, target);
  assert.equal((await refusal(as('ann').update(roles, { ...stored, ...JSON.parse(more) }))).code, 403);
  // What leaves the rules alone is nobody's business but RBAC's.
  await as('ann').patch(roles, target, 'merge', '{"metadata":{"labels":{"a":"b"}}}');
});

test('a binding is written by who holds what its role holds', async () => {
  await as('ann').create(bindings, 'default', binding('same', 'writer', 'eve'));
  const refused = await refusal(as('ann').create(bindings, 'default', binding('more', 'cluster-admin', 'eve')));
  assert.match(refused.message!, /not currently held:\n\{APIGroups:\["\*"\], Resources:\["\*"\], Verbs:\["\*"\]\}/);
  await system.create(bindings, 'default', binding('given', 'cluster-admin', 'root'));
  const target = { namespace: 'default', name: 'given' };
  const subjects = JSON.stringify({ subjects: user('ann') });
  assert.equal((await refusal(as('ann').patch(bindings, target, 'merge', subjects))).code, 403);
  const label = '{"metadata":{"labels":{"a":"b"}}}';
  assert.equal((await refusal(as('ann').patch(bindings, target, 'merge', label))).code, 403);
});

test('a binding to a role that is not there yet is no way round', async () => {
  const { code, message } = await refusal(
    as('ann').create(clusterBindings, undefined, binding('early', 'later', 'ann')),
  );
  assert.deepEqual([code, message], [404, 'clusterroles.rbac.authorization.k8s.io "later" not found']);
});

test('an aggregated role takes the right to everything', async () => {
  const selector = { clusterRoleSelectors: [{ matchLabels: { any: 'thing' } }] };
  const all = { metadata: { name: 'all' }, aggregationRule: selector, rules: [] };
  const { message } = await refusal(as('ann').create(clusterRoles, undefined, all));
  assert.match(message!, /\{NonResourceURLs:\["\*"\], Verbs:\["\*"\]\}$/);
});

test('the verbs bind and escalate lift it, for the roles that they name', async () => {
  const everything = { apiGroups: ['*'], resources: ['*'], verbs: ['*'] };
  await as('bob').create(bindings, 'default', binding('early', 'granted', 'eve'));
  await system.create(clusterRoles, undefined, role('granted'));
  const target = { name: 'granted' };
  await as('bob').patch(clusterRoles, target, 'merge', JSON.stringify({ rules: [everything] }));
  await as('bob').create(bindings, 'default', binding('boss', 'granted', 'eve'));
  assert.equal((await refusal(as('bob').create(clusterRoles, undefined, role('other', everything)))).code, 403);
  assert.equal((await refusal(as('ann').create(bindings, 'default', binding('mine', 'granted', 'ann')))).code, 403);
});

test('who acts as somebody else is measured by what that one holds', async () => {
  const ann = { asUser: { name: 'ann', groups: [] } };
  const refused = await refusal(system.create(bindings, 'default', binding('acted', 'cluster-admin', 'ann'), ann));
  assert.equal(refused.code, 403);
  assert.match(refused.message!, /user "ann" \(groups=\["system:authenticated"\]\) is attempting to grant/);
  await system.create(bindings, 'default', binding('acted', 'writer', 'ann'), ann);
  assert.ok(await system.get(collections.namespaces, { name: 'default' }));
});
