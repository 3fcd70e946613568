// ValidatingAdmissionPolicies through the whole server.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { refusal } from './refusal.ts';
import { type OpenServer, openTestServer } from './test-server.ts';

let running: OpenServer;
let api: KubeApi;
const group = 'admissionregistration.k8s.io';
const policies = { group, version: 'v1', resource: 'validatingadmissionpolicies' };
const bindings = { group, version: 'v1', resource: 'validatingadmissionpolicybindings' };

before(async () => {
  running = await openTestServer('policies');
  ({ api } = running);
});
after(() => running.stop());
afterEach(async () => {
  for (const kind of [policies, bindings])
    for (const { metadata } of (await api.list(kind)).items) await api.delete(kind, { name: metadata.name! });
});

const onConfigMaps = {
  resourceRules: [
    { operations: ['CREATE', 'UPDATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
  ],
};
async function policy(spec: object, binding: object = {}): Promise<void> {
  await api.create(policies, undefined, { metadata: { name: 'p' }, spec: { matchConstraints: onConfigMaps, ...spec } });
  await api.create(bindings, undefined, {
    metadata: { name: 'b' },
    spec: { policyName: 'p', validationActions: ['Deny'], ...binding },
  });
}
let count = 0;
const map = (data: Record<string, string>, labels = {}): KubeObject => ({
  metadata: { name: `m${count++}`, labels },
  data,
});
const create = (object: KubeObject) => api.create(collections.configMaps, 'default', object);

test('a policy refuses what its expressions do not hold for, in the words it chooses', async () => {
  await policy({
    variables: [{ name: 'size', expression: 'size(object.data)' }],
    validations: [
      { expression: "has(object.data) && 'owner' in object.data", message: 'an owner is needed' },
      {
        expression: 'variables.size <= 2',
        messageExpression: "'%d are too many'.format([variables.size])",
        reason: 'Forbidden',
      },
    ],
  });
  await create(map({ owner: 'me' }));
  const object = map({ a: 'b' });
  const missing = await refusal(create(object));
  const why = "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: an owner is needed";
  assert.equal(missing.message, `configmaps "${object.metadata.name}" is forbidden: ${why}`);
  assert.deepEqual([missing.code, missing.reason, missing.details?.causes], [422, 'Invalid', [{ message: why }]]);
  const many = await refusal(create(map({ owner: 'me', b: '', c: '' })));
  assert.match(many.message!, /denied request: 3 are too many$/);
  assert.equal(many.code, 403);
});

test('a binding chooses whom it is for, and takes its limits from an object', async () => {
  await api.create(collections.configMaps, 'default', { metadata: { name: 'limits' }, data: { max: '1' } });
  await policy(
    {
      paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
      validations: [{ expression: 'size(object.data) <= int(params.data.max)' }],
    },
    {
      paramRef: { name: 'limits', namespace: 'default', parameterNotFoundAction: 'Deny' },
      matchResources: { objectSelector: { matchLabels: { limited: 'yes' } } },
    },
  );
  await create(map({ a: '', b: '' }));
  assert.match(
    (await refusal(create(map({ a: '', b: '' }, { limited: 'yes' })))).message!,
    /failed expression: size\(object.data\) <= int\(params.data.max\)$/,
  );
  await api.delete(collections.configMaps, { namespace: 'default', name: 'limits' });
  assert.match(
    (await refusal(create(map({}, { limited: 'yes' })))).message!,
    /failed to configure binding: no params found/,
  );
});

test('what cannot be told is refused or passed over, and warnings only warn', async () => {
  const validations = [{ expression: "object.data.nothing == ''" }];
  await policy({ validations });
  assert.match(
    (await refusal(create(map({ a: 'b' })))).message!,
    /expression 'object.data.nothing == ''' resulted in error: no such key: nothing$/,
  );
  await api.patch(policies, { name: 'p' }, 'merge', '{"spec":{"failurePolicy":"Ignore"}}');
  await create(map({ a: 'b' }));
  await api.patch(
    policies,
    { name: 'p' },
    'merge',
    JSON.stringify({ spec: { validations: [{ expression: 'false' }] } }),
  );
  await api.patch(bindings, { name: 'b' }, 'merge', '{"spec":{"validationActions":["Warn"]}}');
  const response = await running.admin.request({
    method: 'POST',
    url: running.url('/api/v1/namespaces/default/configmaps'),
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(map({})),
  });
  await response.text();
  assert.deepEqual(
    [response.status, response.headers['warning']],
    [201, `299 - "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'b': failed expression: false"`],
  );
});

test('policies that cannot be are refused', async () => {
  const { details } = await refusal(
    api.create(policies, undefined, { metadata: { name: 'bad' }, spec: { validations: [{ expression: '' }] } }),
  );
  assert.deepEqual(
    details?.causes?.map(({ field }) => field),
    ['spec.matchConstraints', 'spec.validations[0].expression'],
  );
  const broken = await refusal(
    api.create(policies, undefined, {
      metadata: { name: 'bad' },
      spec: { matchConstraints: onConfigMaps, validations: [{ expression: 'other == 1' }] },
    }),
  );
  assert.match(
    broken.message!,
    /spec.validations\[0\].expression: Invalid value: "other == 1": compilation failed: .*undeclared reference/s,
  );
});

test('expressions may name only what is there for them', async () => {
  const { details } = await refusal(
    api.create(policies, undefined, {
      metadata: { name: 'bad' },
      spec: {
        matchConstraints: onConfigMaps,
        variables: [
          { name: 'first', expression: 'variables.second + 1' },
          { name: 'second', expression: '1' },
        ],
        matchConditions: [{ name: 'own', expression: 'variables.second == 1' }],
        validations: [
          { expression: 'params.data.max == object.data.max' },
          { expression: 'variables.third == 1', messageExpression: "authorizer.path('/x').check('get').reason()" },
          { expression: 'variables.second' },
          { expression: 'variables.second == 1 && authorizer.path("/x").check("get").allowed()' },
        ],
      },
    }),
  );
  assert.deepEqual(
    details?.causes?.map(({ field, message }) => [
      field,
      /(?:undeclared reference to|undefined field) '\w+'/.exec(message!)?.[0],
    ]),
    [
      ['spec.variables[0].expression', "undefined field 'second'"],
      ['spec.matchConditions[0].expression', "undeclared reference to 'variables'"],
      ['spec.validations[0].expression', "undeclared reference to 'params'"],
      ['spec.validations[1].expression', "undefined field 'third'"],
      ['spec.validations[1].messageExpression', "undeclared reference to 'authorizer'"],
    ],
  );
});
