// Admission webhooks over real HTTPS on loopback: what they change and refuse, and what becomes of hooks that hang, are
// away, talk nonsense or show the wrong certificate.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import type { HttpClient } from '@kedge/core/ports';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import type { MutatingWebhook, ValidatingWebhook } from '@kedge/model/k8s-types';
import { createHttpClient } from '@kedge/platform/node';
import { type HookServer, startHookServer } from './hook-server.ts';
import { refusal } from './refusal.ts';
import { startTestServer, type TestServer } from './test-server.ts';

interface AdmissionRequest {
  uid: string;
  operation: string;
  name?: string;
  namespace?: string;
  subResource?: string;
  dryRun: boolean;
  kind: { group: string; version: string; kind: string };
  requestKind: { group: string; version: string; kind: string };
  resource: { group: string; version: string; resource: string };
  userInfo: { username: string; groups: string[] };
  object: (KubeObject & { data?: Record<string, string> }) | null;
  oldObject: KubeObject | null;
  options: { kind: string };
}
type Answer = Record<string, unknown> | 'hang' | 'nonsense' | 'http 500';

let directory: string;
let running: TestServer;
let api: KubeApi;
let admin: HttpClient;
let hooks: HookServer;
let caBundle: string;
let wrongCa: string;
/** What the hook server answers, by path; every request is kept. */
const answers = new Map<string, (request: AdmissionRequest) => Answer>();
const asked: { path: string; request: AdmissionRequest }[] = [];

const hookConfigs = {
  mutating: { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'mutatingwebhookconfigurations' },
  validating: { group: 'admissionregistration.k8s.io', version: 'v1', resource: 'validatingwebhookconfigurations' },
};
const registered: { of: (typeof hookConfigs)['mutating']; name: string }[] = [];

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kedge-webhooks-'));
  running = await startTestServer({ directory });
  api = running.server.localApi(systemUser);
  const { authority, admin: certificate } = running.server.pki;
  admin = createHttpClient({
    tls: { ca: authority.certificatePem, certificate: certificate.certificatePem, key: certificate.key.reveal() },
  });
  wrongCa = btoa(authority.certificatePem);
  hooks = await startHookServer(async (request, response) => {
    const review = JSON.parse(new TextDecoder().decode(await request.body(1 << 20))) as { request: AdmissionRequest };
    asked.push({ path: request.path, request: review.request });
    const answer = answers.get(request.path)?.(review.request) ?? { allowed: true };
    if (answer === 'hang') return new Promise((resolve) => request.signal.addEventListener('abort', () => resolve()));
    if (answer === 'nonsense') return response.send(200, {}, 'certainly');
    if (answer === 'http 500') return response.send(500, {}, 'out of order');
    const body = {
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: { uid: review.request.uid, ...answer },
    };
    response.send(200, { 'content-type': 'application/json' }, JSON.stringify(body));
  });
  caBundle = hooks.caBundle;
});
after(async () => {
  await hooks.close();
  await admin.close();
  await running.stop();
  await rm(directory, { recursive: true, force: true });
});
afterEach(async () => {
  for (const { of, name } of registered.splice(0)) await api.delete(of, { name });
  answers.clear();
  asked.length = 0;
});

const patchOf = (...operations: object[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: btoa(JSON.stringify(operations)),
});
const onConfigMaps = (operations = ['CREATE', 'UPDATE', 'DELETE']) => [
  { operations, apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] },
];

/** Registers hooks; each is asked at `/<its first label>`. */
async function register(
  kind: 'mutating' | 'validating',
  name: string,
  ...webhooks: (Partial<MutatingWebhook & ValidatingWebhook> & { name: string })[]
): Promise<void> {
  const of = hookConfigs[kind];
  const complete = webhooks.map((hook) => ({
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    rules: onConfigMaps(),
    clientConfig: { url: `https://127.0.0.1:${hooks.port}/${hook.name.split('.')[0]}`, caBundle },
    ...hook,
  }));
  await api.create(of, undefined, { metadata: { name }, webhooks: complete });
  registered.push({ of, name });
}

let count = 0;
async function createMap(
  data: Record<string, string> = {},
  more: object = {},
): Promise<KubeObject & { data?: object }> {
  return api.create(collections.configMaps, 'default', { metadata: { name: `map-${count++}`, ...more }, data });
}

describe('mutating webhooks', () => {
  test('change objects one after the other, in order of configuration and hook', async () => {
    await register('mutating', 'b', { name: 'third.x.io' });
    await register('mutating', 'a', { name: 'first.x.io' }, { name: 'second.x.io' });
    const add = (mark: string) => (request: AdmissionRequest) =>
      patchOf({ op: 'add', path: '/data/seen', value: `${request.object?.data?.['seen'] ?? ''}${mark}` });
    answers.set('/first', add('1')).set('/second', add('2')).set('/third', add('3'));
    assert.deepEqual((await createMap({ own: 'x' })).data, { own: 'x', seen: '123' });
    const [{ request } = assert.fail()] = asked;
    assert.deepEqual(request.kind, { group: '', version: 'v1', kind: 'ConfigMap' });
    assert.deepEqual(request.resource, { group: '', version: 'v1', resource: 'configmaps' });
    assert.equal(request.userInfo.username, systemUser.name);
    assert.deepEqual([request.operation, request.namespace, request.oldObject], ['CREATE', 'default', null]);
    assert.equal(request.options.kind, 'CreateOptions');
  });

  test('are asked again when a later one changes the object, if they want that', async () => {
    await register('mutating', 'a', { name: 'again.x.io', reinvocationPolicy: 'IfNeeded' }, { name: 'once.x.io' });
    await register('mutating', 'b', { name: 'late.x.io' });
    answers.set('/late', () => patchOf({ op: 'add', path: '/data/late', value: 'yes' }));
    await createMap({ a: 'b' });
    assert.deepEqual(
      asked.map(({ path }) => path),
      ['/again', '/once', '/late', '/again'],
    );
    assert.deepEqual(asked[3]!.request.object!.data, { a: 'b', late: 'yes' });
  });

  test('cannot change who an object is, and what they add is checked like anything else', async () => {
    await register('mutating', 'a', { name: 'rename.x.io' });
    answers.set('/rename', () => patchOf({ op: 'replace', path: '/metadata/name', value: 'other' }));
    const made = await createMap();
    assert.match(made.metadata.name!, /^map-/);
    answers.set('/rename', () => patchOf({ op: 'add', path: '/metadata/labels', value: { 'not a label': '' } }));
    assert.equal((await refusal(createMap())).reason, 'Invalid');
  });

  test('with a patch that does not fit, fail the request whatever their policy', async () => {
    await register('mutating', 'a', { name: 'bad.x.io', failurePolicy: 'Ignore' });
    answers.set('/bad', () => patchOf({ op: 'remove', path: '/data/nothing' }));
    const { code, message } = await refusal(createMap());
    assert.equal(code, 500);
    assert.match(message!, /^Internal error occurred: /);
  });

  test('are not asked for a trial run unless they say that it has no effects', async () => {
    await register('mutating', 'a', { name: 'trial.x.io', sideEffects: 'NoneOnDryRun' });
    const url = `https://127.0.0.1:${running.server.port()}/api/v1/namespaces/default/configmaps?dryRun=All`;
    const body = JSON.stringify({ metadata: { name: 'trial' } });
    const response = await admin.request({
      method: 'POST',
      url,
      body,
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(response.status, 201);
    await response.text();
    assert.equal(asked[0]!.request.dryRun, true);
  });
});

describe('validating webhooks', () => {
  test('refuse in their own words, with their own code', async () => {
    await register('validating', 'v', { name: 'no.x.io' });
    answers.set('/no', () => ({ allowed: false, status: { code: 418, message: 'not on a Friday' } }));
    const status = await refusal(createMap());
    assert.equal(status.message, 'admission webhook "no.x.io" denied the request: not on a Friday');
    assert.equal(status.code, 418);
    answers.set('/no', () => ({ allowed: false }));
    assert.equal(
      (await refusal(createMap())).message,
      'admission webhook "no.x.io" denied the request without explanation',
    );
  });

  test('see old and new state, deletions too, and pass warnings on', async () => {
    await register('validating', 'v', { name: 'look.x.io' });
    answers.set('/look', () => ({ allowed: true, warnings: ['mind the gap'] }));
    const url = `https://127.0.0.1:${running.server.port()}/api/v1/namespaces/default/configmaps`;
    const send = async (method: string, at: string, body?: object) => {
      const text = body && JSON.stringify(body);
      const response = await admin.request({
        method,
        url: at,
        headers: { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' },
        ...(text ? { body: text } : {}),
      });
      await response.text();
      return response;
    };
    const created = await send('POST', url, { metadata: { name: 'watched' }, data: { a: '1' } });
    assert.equal(created.headers['warning'], '299 - "mind the gap"');
    await send('PATCH', `${url}/watched`, { data: { a: '2' } });
    await send('DELETE', `${url}/watched`);
    const states = asked.map(({ request: { operation, object, oldObject } }) => [
      operation,
      object?.data?.['a'],
      (oldObject as { data?: { a?: string } } | null)?.data?.a,
    ]);
    assert.deepEqual(states, [
      ['CREATE', '1', undefined],
      ['UPDATE', '2', '1'],
      ['DELETE', undefined, '2'],
    ]);
  });

  test('are chosen by rules and by labels of namespace and object', async () => {
    await register(
      'validating',
      'v',
      { name: 'labels.x.io', objectSelector: { matchLabels: { watched: 'yes' } } },
      { name: 'elsewhere.x.io', namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } } },
      { name: 'other.x.io', rules: [{ ...onConfigMaps()[0]!, resources: ['secrets', 'configmaps/status'] }] },
      { name: 'scope.x.io', rules: [{ ...onConfigMaps()[0]!, scope: 'Cluster' }] },
      { name: 'all.x.io', rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }] },
    );
    await createMap();
    assert.deepEqual(
      asked.map(({ path }) => path),
      ['/all'],
    );
    asked.length = 0;
    await createMap({}, { labels: { watched: 'yes' } });
    assert.deepEqual(asked.map(({ path }) => path).sort(), ['/all', '/labels']);
  });

  test('are shown the form that their rules name, when the same objects are served in another', async () => {
    const rule = { operations: ['CREATE'], apiGroups: ['autoscaling'], apiVersions: ['v2'], resources: ['*'] };
    await register('validating', 'v', { name: 'hpa.x.io', rules: [rule] });
    await register('validating', 'w', { name: 'exact.x.io', rules: [rule], matchPolicy: 'Exact' });
    await api.create({ group: 'autoscaling', version: 'v1', resource: 'horizontalpodautoscalers' }, 'default', {
      metadata: { name: 'hpa' },
      spec: { maxReplicas: 3, targetCPUUtilizationPercentage: 40, scaleTargetRef: { kind: 'Deployment', name: 'web' } },
    });
    const [{ path, request } = assert.fail(), ...others] = asked;
    assert.deepEqual([path, others], ['/hpa', []]);
    assert.deepEqual([request.kind.version, request.requestKind.version], ['v2', 'v1']);
    assert.equal(request.object!.apiVersion, 'autoscaling/v2');
    assert.ok(Array.isArray((request.object!['spec'] as { metrics?: unknown }).metrics));
  });
});

describe('a webhook that does not answer as it should', () => {
  const cases: [what: string, Answer, says: RegExp][] = [
    ['hangs', 'hang', /context deadline exceeded$/],
    ['talks nonsense', 'nonsense', /the answer is not JSON/],
    ['is out of order', 'http 500', /the server responded with HTTP 500: out of order$/],
    ['answers somebody else', { allowed: true, uid: 'other' }, /expected response.uid="[^"]+", got "other"$/],
    ['patches without saying how', { allowed: true, patch: btoa('[]') }, /response.patch but not response.patchType$/],
  ];
  for (const [what, answer, says] of cases) {
    test(`because it ${what} fails the request or is passed over, as its policy says`, async () => {
      answers.set('/wrong', () => answer);
      await register('validating', 'v', { name: 'wrong.x.io', timeoutSeconds: 1 });
      const from = performance.now();
      const status = await refusal(createMap());
      assert.ok(performance.now() - from < 5_000);
      assert.equal(status.code, 500);
      assert.match(status.message!, /^Internal error occurred: failed calling webhook "wrong.x.io": /);
      assert.match(status.message!, says);
      if (answer === 'hang') return;
      await api.patch(
        hookConfigs.validating,
        { name: 'v' },
        'json',
        `[{"op":"replace","path":"/webhooks/0/failurePolicy","value":"Ignore"}]`,
      );
      await createMap();
    });
  }

  test('because nobody listens, or its certificate is not of the given CA, fails at once', async () => {
    await register('validating', 'v', {
      name: 'away.x.io',
      clientConfig: { url: 'https://127.0.0.1:1/x', caBundle },
    });
    assert.match(
      (await refusal(createMap())).message!,
      /failed to call webhook: Post "https:\/\/127.0.0.1:1\/x\?timeout=10s": /,
    );
    await api.delete(hookConfigs.validating, { name: registered.pop()!.name });
    await register('validating', 'v', {
      name: 'stranger.x.io',
      clientConfig: { url: `https://127.0.0.1:${hooks.port}/stranger`, caBundle: wrongCa },
    });
    assert.match((await refusal(createMap())).message!, /not trusted/);
    assert.deepEqual(asked, []);
  });
});

test('a service is reached at its endpoints, with a certificate for its name', async () => {
  const service = { namespace: 'default', name: 'hook', path: '/service' };
  await register('validating', 'v', { name: 'service.x.io', clientConfig: { service, caBundle } });
  assert.match((await refusal(createMap())).message!, /service "hook" not found$/);
  await api.create(collections.services, 'default', {
    metadata: { name: 'hook' },
    spec: { ports: [{ name: 'https', port: 443, targetPort: 9_443 }] },
  });
  assert.match((await refusal(createMap())).message!, /no endpoints available for service "hook"$/);
  await api.create(collections.endpoints, 'default', {
    metadata: { name: 'hook' },
    subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ name: 'https', port: hooks.port }] }],
  });
  await createMap();
  assert.deepEqual(
    asked.map(({ path }) => path),
    ['/service'],
  );
});

test('registrations are checked, and never shown to webhooks', async () => {
  const everything = { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] };
  await register('validating', 'all', { name: 'all.x.io', rules: [everything] });
  answers.set('/all', () => ({ allowed: false }));
  const { details } = await refusal(
    api.create(hookConfigs.mutating, undefined, {
      metadata: { name: 'bad' },
      webhooks: [{ name: 'short', timeoutSeconds: 31, clientConfig: { url: 'http://x' }, rules: [{}] }],
    }),
  );
  assert.deepEqual(
    details?.causes?.map(({ field }) => field),
    [
      'webhooks[0].name',
      'webhooks[0].rules[0].operations',
      'webhooks[0].rules[0].apiGroups',
      'webhooks[0].rules[0].apiVersions',
      'webhooks[0].rules[0].resources',
      'webhooks[0].sideEffects',
      'webhooks[0].timeoutSeconds',
      'webhooks[0].clientConfig.url',
      'webhooks[0].admissionReviewVersions',
    ],
  );
  assert.deepEqual(asked, []);
});

test('match conditions that cannot be compiled are refused with the hook, each by its place', async () => {
  const hook = (name: string, ...expressions: string[]) => ({
    name: `${name}.example.com`,
    clientConfig: { url: 'https://127.0.0.1:1/' },
    rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
    sideEffects: 'None',
    admissionReviewVersions: ['v1'],
    matchConditions: expressions.map((expression, at) => ({ name: `c${at}`, expression })),
  });
  const create = (webhooks: object[]) =>
    api.create(hookConfigs.validating, undefined, { metadata: { name: 'conditions' }, webhooks });
  const { code, details } = await refusal(
    create([hook('a', 'object.metadata.name != "x"', 'params.x == 1'), hook('b', '1 +', '"text"')]),
  );
  assert.equal(code, 422);
  assert.deepEqual(
    details?.causes?.map(({ field }) => field),
    [
      'webhooks[0].matchConditions[1].expression',
      'webhooks[1].matchConditions[0].expression',
      'webhooks[1].matchConditions[1].expression',
    ],
  );
  assert.match(details!.causes![1]!.message!, /compilation failed: ERROR: <input>:1:\d+: Syntax error/);
  assert.match(details!.causes![2]!.message!, /must evaluate to bool/);
  registered.push({ of: hookConfigs.validating, name: 'conditions' });
  await create([hook('a', 'object.metadata.name == "never" && authorizer.path("/x").check("get").allowed()')]);
});
