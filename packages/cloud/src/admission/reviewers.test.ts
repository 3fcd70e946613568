import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '@kedge/model/k8s';
import type { DeviceModel } from '@kedge/model/kubeedge';
import { readReview, writeReview } from './admission-review.ts';
import { reviewDevice, reviewDeviceModel } from './review-devices.ts';
import { defaultUpgradeJob, reviewUpgradeJob } from './review-jobs.ts';
import { reviewRule, reviewRuleEndpoint } from './review-rules.ts';
import { tolerateOffline } from './tolerate-offline.ts';
import type { Operation, Review, Reviewer, Verdict } from './verdict.ts';
import { webhookConfigurations } from './webhook-configurations.ts';

const { signal } = new AbortController();
const object = (spec: unknown, name = 'x'): KubeObject => ({ metadata: { name, namespace: 'default' }, spec });
const review = (operation: Operation, spec?: unknown, before?: unknown, name = 'x'): Review => ({
  uid: 'u',
  operation,
  namespace: 'default',
  name,
  object: spec === undefined ? undefined : object(spec, name),
  before: before === undefined ? undefined : object(before, name),
});
const outcome = (verdict: Verdict): string =>
  verdict.allowed
    ? verdict.warnings?.length
      ? `warned: ${verdict.warnings.join(' ')}`
      : 'allowed'
    : `refused: ${verdict.say}`;

const model: DeviceModel = {
  metadata: { name: 'm' },
  spec: {
    properties: [
      { name: 'temp', type: 'INT', accessMode: 'ReadWrite', minimum: '0', maximum: '100' },
      { name: 'on', type: 'BOOLEAN', accessMode: 'ReadWrite' },
      { name: 'seen', type: 'FLOAT', accessMode: 'ReadOnly' },
      { name: 'film', type: 'STREAM' },
    ],
  },
};
const devices = reviewDevice(async (_, name) => (name === 'm' ? model : undefined));
const device = (...properties: object[]) => ({ deviceModelRef: { name: 'm' }, properties });
const wants = (name: string, value: string) => ({ name, desired: { value } });

const ofDevices: readonly [string, Review, RegExp][] = [
  ['a device that fits its model', review('CREATE', device(wants('temp', '30'), wants('on', 'true'))), /^allowed$/],
  ['a Go encoder’s empty desired value', review('CREATE', device(wants('seen', ''))), /^allowed$/],
  [
    'two properties of one name',
    review('CREATE', device({ name: 'temp' }, { name: 'temp' })),
    /^refused: spec\.properties\[1\]\.name: .*property names must be unique\.$/,
  ],
  [
    'a word for a number',
    review('CREATE', device(wants('temp', 'warm'))),
    /^refused: spec\.properties\[0\]\.desired\.value: "warm" is not an INT/,
  ],
  ['a number too large', review('CREATE', device(wants('temp', '101'))), /^refused: .*above the maximum of 100/],
  ['yes for true', review('CREATE', device(wants('on', 'yes'))), /^refused: .*BOOLEAN: true or false/],
  ['a stream without a wish', review('CREATE', device({ name: 'film' })), /^allowed$/],
  ['a value for a stream', review('CREATE', device(wants('film', 'on'))), /^refused: .*"on" is not of use to a STREAM/],
  ['no model named', review('CREATE', { properties: [] }), /^refused: spec\.deviceModelRef\.name: is not set/],
  [
    'a model that is not there yet',
    review('CREATE', { deviceModelRef: { name: 'later' } }),
    /^warned: .*DeviceModel "later" is not there/,
  ],
  [
    'a property that the model lacks',
    review('CREATE', device({ name: 'more' })),
    /^warned: .*"more" is not in DeviceModel "m"/,
  ],
  [
    'a desired value of a read-only property in a file',
    review('CREATE', device(wants('seen', '1'))),
    /^warned: .*ReadOnly/,
  ],
  [
    'setting a read-only property',
    review('UPDATE', device(wants('seen', '2')), device(wants('seen', '1'))),
    /^refused: .*ReadOnly/,
  ],
  [
    'something else about a device with a wrong value',
    review('UPDATE', { ...device(wants('temp', '500')), nodeName: 'n' }, device(wants('temp', '500'))),
    /^warned: /,
  ],
  ['a wrong value set later', review('UPDATE', device(wants('temp', '500')), device(wants('temp', '5'))), /^refused: /],
  ['a status of an odd device', review('UPDATE', { properties: [{}, {}] }, { properties: [{}, {}] }), /^allowed$/],
  ['a deletion', review('DELETE', undefined, device()), /^allowed$/],
];
for (const [what, asked, expected] of ofDevices) {
  test(`device: ${what} is ${expected.source.slice(0, 12)}`, async () => {
    assert.match(outcome(await devices(asked, signal)), expected);
  });
}

const ofModels: readonly [string, Review, RegExp][] = [
  ['names that are unique', review('CREATE', model.spec), /^allowed$/],
  [
    'names that are not',
    review('CREATE', { properties: [{ name: 'a' }, { name: 'a' }] }),
    /^refused: .*property names must be unique\.$/,
  ],
  [
    'a bound that is no number',
    review('CREATE', { properties: [{ name: 'a', type: 'INT', minimum: 'low' }] }),
    /^refused: spec\.properties\[0\]\.minimum/,
  ],
  [
    'bounds the wrong way round',
    review('CREATE', { properties: [{ name: 'a', type: 'INT', minimum: '9', maximum: '1' }] }),
    /^refused: .*no value would ever fit/,
  ],
  [
    'v1alpha2’s types',
    review('CREATE', { properties: [{ name: 'a', type: { int: { minimum: 1, maximum: 5 } } }] }),
    /^allowed$/,
  ],
];
for (const [what, asked, expected] of ofModels) {
  test(`device model: ${what} is ${expected.source.slice(0, 12)}`, async () => {
    assert.match(outcome(await reviewDeviceModel(asked, signal)), expected);
  });
}

test('device model: rules are looked at when they are set, also when nothing else changes', async () => {
  const ruled = (rules: string): KubeObject => ({
    ...object(model.spec),
    metadata: { name: 'm', namespace: 'default', annotations: { 'devices.kedge.io/rules': rules } },
  });
  const bad = ruled('[{"name":"hot","property":"nothing","operator":">","threshold":1}]');
  const asked = review('UPDATE', model.spec, model.spec);
  const said = outcome(await reviewDeviceModel({ ...asked, object: bad }, signal));
  assert.match(
    said,
    /^refused: metadata\.annotations\["devices\.kedge\.io\/rules"\]\[0\]\.property: is "nothing", needs one of/,
  );
  assert.equal(outcome(await reviewDeviceModel({ ...asked, object: bad, before: bad }, signal)), 'allowed');
  assert.equal(outcome(await reviewDeviceModel({ ...asked, object: ruled('[]') }, signal)), 'allowed');
});

const endpoints: Readonly<Record<string, KubeObject>> = {
  rest: object({ ruleEndpointType: 'rest' }, 'rest'),
  bus: object({ ruleEndpointType: 'eventbus' }, 'bus'),
  service: object({ ruleEndpointType: 'servicebus', properties: { service_port: '80' } }, 'service'),
};
const known = {
  endpoint: async (_: string, name: string) => endpoints[name],
  rules: async () => [
    object(
      { source: 'rest', target: 'bus', sourceResource: { path: '/taken' }, targetResource: { topic: 't' } },
      'first',
    ),
  ],
};
const rule = (source: string, sourceResource: object, target: string, targetResource: object) => ({
  source,
  sourceResource,
  target,
  targetResource,
});
const fine = rule('rest', { path: '/a' }, 'bus', { topic: 't' });

const ofRules: readonly [string, Review, RegExp][] = [
  ['rest to eventbus', review('CREATE', fine), /^allowed$/],
  [
    'eventbus to rest',
    review('CREATE', rule('bus', { topic: 't', node_name: 'n' }, 'rest', { resource: 'http://x' })),
    /^allowed$/,
  ],
  ['rest to servicebus', review('CREATE', rule('rest', { path: '/a' }, 'service', { path: '/b' })), /^allowed$/],
  [
    'no source',
    review('CREATE', rule('none', {}, 'bus', {})),
    /^refused: spec\.source: RuleEndpoint "none" is not in namespace "default"/,
  ],
  ['no target', review('CREATE', rule('rest', { path: '/a' }, 'none', {})), /^refused: spec\.target: /],
  [
    'no path',
    review('CREATE', rule('rest', {}, 'bus', { topic: 't' })),
    /^refused: spec\.sourceResource: "path" is missing/,
  ],
  [
    'no node',
    review('CREATE', rule('bus', { topic: 't' }, 'rest', { resource: 'x' })),
    /^refused: .*"node_name" is missing/,
  ],
  [
    'no topic',
    review('CREATE', rule('rest', { path: '/a' }, 'bus', {})),
    /^refused: spec\.targetResource: "topic" is missing/,
  ],
  [
    'bus to bus',
    review('CREATE', rule('bus', { topic: 't', node_name: 'n' }, 'bus', { topic: 'u' })),
    /^refused: .*no messages go from eventbus to eventbus/,
  ],
  [
    'a path that is taken',
    review('CREATE', rule('rest', { path: '/taken' }, 'bus', { topic: 't' })),
    /^refused: .*rule "first" has path "\/taken" already/,
  ],
  ['a change that is right', review('UPDATE', rule('rest', { path: '/b' }, 'bus', { topic: 't' }), fine), /^allowed$/],
  ['a change that is wrong', review('UPDATE', rule('rest', {}, 'bus', { topic: 't' }), fine), /^refused: /],
  ['a changed status', review('UPDATE', { source: 'none' }, { source: 'none' }), /^allowed$/],
  [
    'a rule that keeps its own path',
    review('UPDATE', rule('rest', { path: '/taken' }, 'bus', { topic: 'u' }), fine, 'first'),
    /^allowed$/,
  ],
  ['a deletion', review('DELETE', undefined, fine), /^allowed$/],
];
for (const [what, asked, expected] of ofRules) {
  test(`rule: ${what} is ${expected.source.slice(0, 12)}`, async () => {
    assert.match(outcome(await reviewRule(known)(asked, signal)), expected);
  });
}

const ofEndpoints: readonly [string, Review, RegExp][] = [
  ['a port', review('CREATE', { ruleEndpointType: 'servicebus', properties: { service_port: '8080' } }), /^allowed$/],
  ['no port', review('CREATE', { ruleEndpointType: 'servicebus' }), /^refused: .*"service_port" is missing/],
  [
    'port 0',
    review('CREATE', { ruleEndpointType: 'servicebus', properties: { service_port: '0' } }),
    /^refused: .*1 to 65535/,
  ],
  [
    'a changed port',
    review(
      'UPDATE',
      { ruleEndpointType: 'servicebus', properties: { service_port: '81' } },
      { ruleEndpointType: 'servicebus', properties: { service_port: '80' } },
    ),
    /^allowed$/,
  ],
  [
    'another type while a rule uses it',
    review('UPDATE', { ruleEndpointType: 'eventbus' }, { ruleEndpointType: 'rest' }, 'rest'),
    /^refused: .*rule "first" uses this endpoint/,
  ],
];
for (const [what, asked, expected] of ofEndpoints) {
  test(`rule endpoint: ${what} is ${expected.source.slice(0, 12)}`, async () => {
    assert.match(outcome(await reviewRuleEndpoint(known)(asked, signal)), expected);
  });
}

const job = { version: 'v1.22.2', nodeNames: ['n'] };
const ofJobs: readonly [string, Review, RegExp][] = [
  ['a job', review('CREATE', { ...job, image: 'kubeedge/installation-package' }), /^allowed$/],
  ['another version form', review('CREATE', { ...job, version: '1.22' }), /^refused: .*invalid version 1\.22/],
  [
    'an image without a slash',
    review('CREATE', { ...job, image: 'package' }),
    /^refused: .*invalid image repo package/,
  ],
  ['no nodes', review('CREATE', { version: 'v1.22.2' }), /^refused: .*neither is given/],
  ['nodes twice', review('CREATE', { ...job, labelSelector: {} }), /^refused: .*both are given/],
  [
    'a changed spec',
    review('UPDATE', { ...job, version: 'v1.23.0' }, job),
    /^refused: spec fields are not allowed to update once it's created/,
  ],
  ['the same spec', review('UPDATE', job, job), /^allowed$/],
];
for (const [what, asked, expected] of ofJobs) {
  test(`node upgrade job: ${what} is ${expected.source.slice(0, 12)}`, async () => {
    assert.match(outcome(await reviewUpgradeJob(asked, signal)), expected);
  });
}

const patchOf = async (reviewer: Reviewer, asked: Review) => {
  const verdict = await reviewer(asked, signal);
  assert.ok(verdict.allowed);
  return verdict.patch;
};

test('a node upgrade job gets its defaults', async () => {
  assert.deepEqual(await patchOf(defaultUpgradeJob, review('CREATE', job)), [
    { op: 'add', path: '/spec/concurrency', value: 1 },
    { op: 'add', path: '/spec/timeoutSeconds', value: 300 },
  ]);
  assert.equal(
    await patchOf(defaultUpgradeJob, review('CREATE', { ...job, concurrency: 2, timeoutSeconds: 0 })),
    undefined,
  );
});

test('a pod of an autonomous application tolerates its node to be unreachable, once', async () => {
  const tolerated = { key: 'node.kubernetes.io/unreachable', operator: 'Exists' };
  const short = { ...tolerated, effect: 'NoExecute', tolerationSeconds: 300 };
  const other = { key: 'a', operator: 'Exists' };
  assert.deepEqual(await patchOf(tolerateOffline, review('CREATE', {})), [
    { op: 'add', path: '/spec/tolerations', value: [tolerated] },
  ]);
  assert.deepEqual(await patchOf(tolerateOffline, review('CREATE', { tolerations: [short, other] })), [
    { op: 'replace', path: '/spec/tolerations', value: [other, tolerated] },
  ]);
  assert.equal(await patchOf(tolerateOffline, review('UPDATE', { tolerations: [other, tolerated] })), undefined);
});

test('a review is read from what the API sends, and nothing else passes for one', () => {
  const request = {
    uid: 'u1',
    operation: 'CREATE',
    namespace: 'default',
    name: '',
    object: object({}),
    oldObject: null,
  };
  assert.equal(readReview(JSON.stringify({ kind: 'AdmissionReview', request }))?.name, 'x');
  for (const text of [
    '',
    '[]',
    '{}',
    '{"request":3}',
    JSON.stringify({ request: { ...request, operation: 'EAT' } }),
    JSON.stringify({ request: { ...request, object: null } }),
  ]) {
    assert.equal(readReview(text), undefined);
  }
});

test('an answer repeats the uid, and a patch is text in base64', () => {
  const { response } = JSON.parse(
    writeReview('u1', { allowed: true, patch: [{ op: 'add', path: '/a', value: 1 }] }),
  ) as {
    response: { uid: string; patch: string; patchType: string };
  };
  assert.equal(response.uid, 'u1');
  assert.equal(response.patchType, 'JSONPatch');
  assert.equal(response.patch, 'W3sib3AiOiJhZGQiLCJwYXRoIjoiL2EiLCJ2YWx1ZSI6MX1d');
  assert.deepEqual(JSON.parse(writeReview('u2', { allowed: false, say: 'no' })), {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: 'u2', allowed: false, status: { message: 'no' } },
  });
});

test('the webhooks have upstream’s names, paths and policies', () => {
  const found = webhookConfigurations({ by: 'url', url: 'https://c:1' }, 'CA').map(({ metadata, webhooks = [] }) => [
    metadata?.name,
    webhooks.map(({ name, clientConfig, failurePolicy }) => `${name} ${clientConfig.url} ${failurePolicy}`),
  ]);
  assert.deepEqual(Object.fromEntries(found), {
    'kubeedge-crds-validate-webhook-configuration': [
      'validatedevice.kubeedge.io https://c:1/devices Ignore',
      'validatedevicemodel.kubeedge.io https://c:1/devicemodels Ignore',
      'validatedrule.kubeedge.io https://c:1/rules Fail',
      'validatedruleendpoint.kubeedge.io https://c:1/ruleendpoints Fail',
      'validatenodeupgradejob.kubeedge.io https://c:1/nodeupgradejobs Fail',
    ],
    'mutate-offlinemigration': ['mutateofflinemigration.kubeedge.io https://c:1/offlinemigration Ignore'],
    'kubeedge-mutating-webhook': ['mutatingnodeupgradejob.kubeedge.io https://c:1/mutating/nodeupgradejobs Ignore'],
  });
});
