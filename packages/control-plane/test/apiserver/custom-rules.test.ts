// Rules in CEL through the whole server: definitions that cannot be, objects that break rules, match conditions of webhooks.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { collections, type KubeApi } from '@kedge/engine/kube-client';
import type { KubeObject } from '@kedge/model/k8s';
import { refusal } from './refusal.ts';
import { type OpenServer, openTestServer } from './test-server.ts';

let running: OpenServer;
let api: KubeApi;
const definitions = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };
const pumps = { group: 'plant.example.com', version: 'v1', resource: 'pumps' };

before(async () => {
  running = await openTestServer('rules');
  ({ api } = running);
});
after(() => running.stop());

const definition = (rules: object[]): KubeObject => ({
  metadata: { name: 'pumps.plant.example.com' },
  spec: {
    group: 'plant.example.com',
    scope: 'Namespaced',
    names: { plural: 'pumps', kind: 'Pump' },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            'x-kubernetes-validations': [
              { rule: "self.metadata.name.startsWith('p-')", message: 'the name must start with p-' },
            ],
            properties: {
              spec: {
                type: 'object',
                'x-kubernetes-validations': rules,
                properties: { speed: { type: 'integer' }, max: { type: 'integer' }, place: { type: 'string' } },
              },
              status: { type: 'object', properties: { speed: { type: 'integer' } } },
            },
          },
        },
      },
    ],
  },
});
const pump = (name: string, spec: object): KubeObject => ({ metadata: { name }, spec });

test('rules hold from the moment their definition is stored', async () => {
  const bad = await refusal(api.create(definitions, undefined, definition([{ rule: 'self.sped > 1' }])));
  assert.equal(bad.code, 422);
  assert.equal(
    bad.details?.causes?.[0]?.field,
    'spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule',
  );
  await api.create(
    definitions,
    undefined,
    definition([
      { rule: 'self.speed <= self.max', messageExpression: "'%d is over %d'.format([self.speed, self.max])" },
      { rule: 'self.place == oldSelf.place', message: 'place is immutable', fieldPath: '.place' },
    ]),
  );
  const { message } = await refusal(api.create(pumps, 'default', pump('x', { speed: 5, max: 3, place: 'hall' })));
  assert.equal(
    message,
    'Pump.plant.example.com "x" is invalid: [<nil>: Invalid value: "object": the name must start with p-, spec: Invalid value: "object": 5 is over 3]',
  );
  await api.create(pumps, 'default', pump('p-1', { speed: 2, max: 3, place: 'hall' }));
  const moved = await refusal(
    api.patch(pumps, { namespace: 'default', name: 'p-1' }, 'merge', '{"spec":{"place":"yard"}}'),
  );
  assert.equal(
    moved.message,
    'Pump.plant.example.com "p-1" is invalid: spec.place: Invalid value: "object": place is immutable',
  );
  await api.patch(pumps, { namespace: 'default', name: 'p-1' }, 'merge', '{"spec":{"speed":3}}');
});

test('match conditions decide whether a webhook is asked', async () => {
  const webhooks = {
    group: 'admissionregistration.k8s.io',
    version: 'v1',
    resource: 'validatingwebhookconfigurations',
  };
  const hook = (expression: string) => ({
    metadata: { name: 'conditions' },
    webhooks: [
      {
        name: 'never.reached.io',
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        clientConfig: { url: 'https://127.0.0.1:1/' },
        rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] }],
        matchConditions: [{ name: 'one', expression }],
      },
    ],
  });
  const attempt = async (expression: string): Promise<string> => {
    await api.create(webhooks, undefined, hook(expression));
    try {
      await api.create(collections.configMaps, 'default', { metadata: { name: 'it', labels: { a: 'b' } } });
      await api.delete(collections.configMaps, { namespace: 'default', name: 'it' });
      return 'passed over';
    } catch (error) {
      return (error as Error).message;
    } finally {
      await api.delete(webhooks, { name: 'conditions' });
    }
  };
  assert.equal(await attempt("object.metadata.labels['a'] == 'c'"), 'passed over');
  assert.equal(await attempt("request.userInfo.username.startsWith('system:node:')"), 'passed over');
  assert.equal(
    await attempt(
      "authorizer.requestResource.check('create').allowed() && authorizer.group('').resource('pods').check('get').allowed() ? false : true",
    ),
    'passed over',
  );
  assert.match(await attempt("request.operation == 'CREATE' && oldObject == null"), /failed to call webhook/);
  assert.match(await attempt('object.nothing == 1'), /matchConditions: one: no such key: nothing/);
});
