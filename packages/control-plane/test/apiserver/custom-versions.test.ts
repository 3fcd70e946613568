// Custom resources in several versions: relabelled, or converted by a webhook; what is stored; names that collide.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemUser } from '@kedge/control-plane/apiserver';
import type { HttpClient } from '@kedge/core/ports';
import type { KubeApi } from '@kedge/engine/kube-client';
import { isStatus, type KubeObject } from '@kedge/model/k8s';
import { createHttpClient } from '@kedge/platform/node';
import { type HookServer, startHookServer } from './hook-server.ts';
import { refusal } from './refusal.ts';
import { startTestServer, type TestServer } from './test-server.ts';

let directory: string;
let running: TestServer;
let api: KubeApi;
let admin: HttpClient;
let hooks: HookServer;
let isBroken = false;
const batches: number[] = [];
const definitions = { group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' };

interface Point extends KubeObject {
  spec?: { at?: string; x?: number; y?: number };
}

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kedge-versions-'));
  running = await startTestServer({ directory });
  api = running.server.localApi(systemUser);
  const { authority, admin: certificate } = running.server.pki;
  admin = createHttpClient({
    tls: { ca: authority.certificatePem, certificate: certificate.certificatePem, key: certificate.key.reveal() },
  });
  // v1 keeps a point as "x,y", v2 as two numbers.
  hooks = await startHookServer(async (request, response) => {
    const review = JSON.parse(new TextDecoder().decode(await request.body(1 << 20))) as {
      apiVersion: string;
      request: { uid: string; desiredAPIVersion: string; objects: Point[] };
    };
    const { uid, desiredAPIVersion: to, objects } = review.request;
    batches.push(objects.length);
    const convertedObjects = objects.map((object) => {
      const { at = '', x = 0, y = 0 } = object.spec ?? {};
      const [first, second] = at.split(',').map(Number);
      const spec = to.endsWith('/v2') ? { x: first, y: second } : { at: `${x},${y}` };
      return { ...object, apiVersion: to, spec, metadata: { ...object.metadata, name: 'changed' } };
    });
    const result = isBroken ? { status: 'Failure', message: 'no idea' } : { status: 'Success' };
    const body = {
      apiVersion: review.apiVersion,
      kind: 'ConversionReview',
      response: { uid, result, convertedObjects },
    };
    response.send(200, {}, JSON.stringify(body));
  });
});
after(async () => {
  await hooks.close();
  await admin.close();
  await running.stop();
  await rm(directory, { recursive: true, force: true });
});

const version = (name: string, storage: boolean, properties: object, more: object = {}) => ({
  name,
  served: true,
  storage,
  schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties } } } },
  ...more,
});
const definition = (plural: string, versions: object[], more: object = {}, names: object = {}): KubeObject => ({
  metadata: { name: `${plural}.geo.example.com` },
  spec: {
    group: 'geo.example.com',
    scope: 'Namespaced',
    names: {
      plural,
      singular: plural.slice(0, -1),
      kind: `${plural[0]!.toUpperCase()}${plural.slice(1, -1)}`,
      ...names,
    },
    versions,
    ...more,
  },
});
const served = (resource: string, name: string) => ({ group: 'geo.example.com', version: name, resource });
const specOf = (object: KubeObject): unknown => object['spec'];

test('a webhook converts what is written and read, in batches, and cannot change identities', async () => {
  const webhook = {
    conversionReviewVersions: ['v1'],
    clientConfig: { url: `https://127.0.0.1:${hooks.port}/convert`, caBundle: hooks.caBundle },
  };
  const number = { type: 'integer' };
  await api.create(
    definitions,
    undefined,
    definition(
      'points',
      [version('v1', true, { at: { type: 'string' } }), version('v2', false, { x: number, y: number })],
      { conversion: { strategy: 'Webhook', webhook } },
    ),
  );
  const [v1, v2] = [served('points', 'v1'), served('points', 'v2')];
  const made = await api.create(v2, 'default', { metadata: { name: 'a' }, spec: { x: 1, y: 2 } });
  assert.deepEqual([made.metadata.name, specOf(made)], ['a', { x: 1, y: 2 }]);
  const asV1 = await api.get(v1, { namespace: 'default', name: 'a' });
  assert.deepEqual([asV1.apiVersion, asV1.metadata.name, specOf(asV1)], ['geo.example.com/v1', 'a', { at: '1,2' }]);
  assert.equal(asV1.metadata.uid, made.metadata.uid);
  await api.patch(v2, { namespace: 'default', name: 'a' }, 'merge', '{"spec":{"y":5}}');
  assert.deepEqual(specOf(await api.get(v1, { namespace: 'default', name: 'a' })), { at: '1,5' });

  await api.create(v1, 'default', { metadata: { name: 'b' }, spec: { at: '7,8' } });
  batches.length = 0;
  const { items, resourceVersion } = await api.list(v2, { namespace: 'default' });
  assert.deepEqual(items.map(specOf), [
    { x: 1, y: 5 },
    { x: 7, y: 8 },
  ]);
  assert.deepEqual(batches, [2]);

  const stop = new AbortController();
  const seen: unknown[] = [];
  await api.patch(v1, { namespace: 'default', name: 'b' }, 'merge', '{"spec":{"at":"9,9"}}');
  await api.delete(v1, { namespace: 'default', name: 'b' });
  for await (const change of api.watch(v2, { namespace: 'default' }, resourceVersion, stop.signal)) {
    if (change.type === 'modified' || change.type === 'deleted') seen.push([change.type, specOf(change.object)]);
    if (seen.length === 2) stop.abort();
  }
  assert.deepEqual(seen, [
    ['modified', { x: 9, y: 9 }],
    ['deleted', { x: 9, y: 9 }],
  ]);

  isBroken = true;
  const { code, message } = await refusal(api.get(v2, { namespace: 'default', name: 'a' }));
  assert.equal(code, 500);
  assert.equal(
    message,
    'Internal error occurred: conversion webhook for geo.example.com/v1, Kind=Point failed: no idea',
  );
  // Nobody is needed to remove things.
  await api.delete(definitions, { name: 'points.geo.example.com' });
  for (;;) {
    const left = await api.get(definitions, { name: 'points.geo.example.com' }).catch((error: unknown) => error);
    if (isStatus(left, 'NotFound')) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  isBroken = false;
});

test('without a webhook versions share objects, each with the fields and defaults it knows', async () => {
  const text = { type: 'string' };
  await api.create(
    definitions,
    undefined,
    definition('lines', [
      version('v1', false, { a: text }, { deprecated: true }),
      version('v2', true, { a: text, b: { ...text, default: 'of v2' } }),
    ]),
  );
  const [v1, v2] = [served('lines', 'v1'), served('lines', 'v2')];
  await api.create(v1, 'default', { metadata: { name: 'l' }, spec: { a: 'x' } });
  assert.deepEqual(specOf(await api.get(v2, { namespace: 'default', name: 'l' })), { a: 'x', b: 'of v2' });
  assert.deepEqual(specOf(await api.get(v1, { namespace: 'default', name: 'l' })), { a: 'x' });
  const { storedVersions } = (await api.get(definitions, { name: 'lines.geo.example.com' }))['status'] as {
    storedVersions: string[];
  };
  assert.deepEqual(storedVersions, ['v2']);
  const answer = await admin.request({
    method: 'GET',
    url: `https://127.0.0.1:${running.server.port()}/apis/geo.example.com/v1/namespaces/default/lines`,
  });
  await answer.text();
  assert.equal(answer.headers['warning'], '299 - "geo.example.com/v1 Line is deprecated"');
  // A default that comes later shows in what is stored already.
  await api.patch(
    definitions,
    { name: 'lines.geo.example.com' },
    'json',
    '[{"op":"add","path":"/spec/versions/1/schema/openAPIV3Schema/properties/spec/properties/c","value":{"type":"integer","default":3}}]',
  );
  assert.deepEqual(specOf(await api.get(v2, { namespace: 'default', name: 'l' })), { a: 'x', b: 'of v2', c: 3 });
});

test('names that somebody else of the group has are not accepted until they are free', async () => {
  const conditionsOf = (object: KubeObject) =>
    ((object['status'] as { conditions: { type: string; status: string; reason: string }[] }).conditions ?? []).map(
      ({ type, status, reason }) => `${type}=${status} ${reason}`,
    );
  const one = version('v1', true, {});
  await api.create(definitions, undefined, definition('firsts', [one], {}, { shortNames: ['fs'] }));
  const second = await api.create(definitions, undefined, definition('seconds', [one], {}, { shortNames: ['fs'] }));
  assert.deepEqual(conditionsOf(second), ['NamesAccepted=False ShortNamesConflict', 'Established=False NotAccepted']);
  assert.equal((await refusal(api.list(served('seconds', 'v1'), {}))).code, 404);
  await api.delete(definitions, { name: 'firsts.geo.example.com' });
  for (;;) {
    const now = conditionsOf(await api.get(definitions, { name: 'seconds.geo.example.com' }));
    if (now.includes('Established=True InitialNamesAccepted')) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual((await api.list(served('seconds', 'v1'), {})).items, []);
});
