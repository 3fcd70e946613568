import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { createLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { hours, minutes, seconds } from '@kedge/core/time';
import { isStatus } from '@kedge/model/k8s';
import { openDatabase } from '@kedge/platform/sqlite';
import { createSampleStore, sampleMigrations } from '@kedge/cloud/devicecontroller';
import type { HttpHandler, ServerRequest, ServerResponse } from '@kedge/core/ports';
import { type Downstream, messageId, type Upstream } from '@kedge/model/messages';
import type { FakeKubeApi } from '@kedge/testing/kube';
import { createDenseEdgeCodec } from '@kedge/wire/hub';
import { api, edgeNode, fakeApi, installSyncs, settle, startCloud } from './cloud-rig.ts';

const device = { namespace: 'default', name: 'thermo-1' };

function open(limits = { perProperty: 100, age: hours(24), series: 2 }) {
  const clock = new FakeClock({ settle });
  const db = openDatabase({ path: ':memory:', migrations: sampleMigrations, durability: 'full' });
  const log = createLog({ now: () => clock.now(), level: 'error', write: () => undefined });
  const store = createSampleStore({ clock, log, db, limits });
  const report = (firstSequence: number, values: readonly string[], stream = 's', property = 'temperature') =>
    store.append({
      kind: 'samples.report',
      id: messageId('m'),
      at: 0,
      device,
      property,
      stream,
      firstSequence,
      samples: values.map((value, i) => ({ at: clock.now() + firstSequence + i, value })),
    });
  const values = (property = 'temperature') => store.read({ device, property, limit: 1_000 }).map(({ value }) => value);
  return { clock, store, report, values };
}

test('samples are read in the order of their sequence, each once, whatever the order and number of reports', async () => {
  const { report, values } = open();
  await report(3, ['c', 'd']);
  await report(1, ['a', 'b', 'c']);
  await report(3, ['c', 'd']);
  assert.deepEqual(values(), ['a', 'b', 'c', 'd']);
});

test('a stream that begins anew comes after the one before it', async () => {
  const { report, values } = open();
  await report(1, ['a', 'b']);
  await report(1, ['x', 'y'], 'other');
  assert.deepEqual(values(), ['a', 'b', 'x', 'y']);
});

test('reading goes on where it stopped, across streams', async () => {
  const { store, report } = open();
  await report(1, ['a', 'b', 'c']);
  await report(1, ['x', 'y'], 'other');
  const found: string[] = [];
  let after: { series: number; sequence: number } | undefined;
  for (;;) {
    const page = store.read({ device, property: 'temperature', after, limit: 2 });
    if (page.length === 0) break;
    found.push(...page.map(({ value }) => value));
    after = page.at(-1)!.cursor;
  }
  assert.deepEqual(found, ['a', 'b', 'c', 'x', 'y']);
});

test('too many properties are turned away with an error that lets the edge keep its samples', async () => {
  const { report, values } = open();
  await report(1, ['a'], 's', 'one');
  await report(1, ['b'], 's', 'two');
  await assert.rejects(report(1, ['c'], 's', 'three'), (error) => isStatus(error, 'TooManyRequests'));
  assert.deepEqual(values('two'), ['b']);
});

test('the newest are kept up to the bound, and none beyond their age', async () => {
  const { clock, store, report, values } = open({ perProperty: 3, age: hours(1), series: 2 });
  const scope = openScope({ name: 'samples', clock });
  store.start(scope);
  await report(1, ['a', 'b', 'c', 'd', 'e']);
  await clock.advance(minutes(2));
  assert.deepEqual(values(), ['c', 'd', 'e']);
  await clock.advance(hours(1));
  assert.deepEqual(values(), []);
  await clock.until(scope.close(seconds(1)));
});

const devicesOf = {
  limits: {
    perDevice: { interval: seconds(1), burst: 5 },
    total: { perSecond: 500, burst: 1_000 },
    refresh: seconds(10),
  },
  samples: { path: ':memory:', perProperty: 100, age: hours(24), series: 10 },
};

/** As an API server that knows one token, whose owner may read one device. */
function withReviews(kube: FakeKubeApi): FakeKubeApi {
  const create: FakeKubeApi['create'] = async (of, namespace, object, options) => {
    const spec = object['spec'] as { token?: string; user?: string; resourceAttributes?: { name: string } };
    if (of.resource === 'tokenreviews') {
      const authenticated = spec.token === 'good';
      return {
        ...object,
        status: { authenticated, ...(authenticated ? { user: { username: 'reader', groups: ['g'] } } : {}) },
      };
    }
    if (of.resource === 'subjectaccessreviews') {
      return { ...object, status: { allowed: spec.user === 'reader' && spec.resourceAttributes?.name === 'thermo-1' } };
    }
    return kube.create(of, namespace, object, options);
  };
  return new Proxy(kube, { get: (target, key) => (key === 'create' ? create : Reflect.get(target, key)) as unknown });
}

async function get(handler: HttpHandler, url: string, token?: string): Promise<{ status: number; body: unknown }> {
  const { pathname, searchParams } = new URL(url, 'https://cloud');
  return new Promise((resolve, reject) => {
    const request: ServerRequest = {
      method: 'GET',
      path: pathname,
      query: searchParams,
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      remoteAddress: '',
      peer: undefined,
      signal: new AbortController().signal,
      body: async () => new Uint8Array(),
    };
    const send: ServerResponse['send'] = (status, _headers, body) =>
      resolve({ status, body: JSON.parse(String(body ?? 'null')) });
    const stream = (): never => assert.fail('nothing is streamed');
    handler(request, { send, stream }).catch(reject);
  });
}

test('an edge of ours delivers samples, is told when they are on disk, and who may read them reads them', async (t) => {
  const { clock, kube: plain } = fakeApi();
  const kube = withReviews(plain);
  await installSyncs(kube);
  await kube.create(api('nodes'), undefined, edgeNode('edge-1'));
  await kube.create(api('devices', 'devices.kubeedge.io', 'v1beta1'), 'default', {
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata: { name: 'thermo-1', namespace: 'default' },
    spec: { nodeName: 'edge-1', properties: [{ name: 'temperature' }] },
  });
  const place = { by: 'url', url: 'https://192.0.2.2:10005' } as const;
  const admission = { address: '0.0.0.0', port: 10_005, place };
  const cloud = await startCloud(t, { clock, kube, devices: devicesOf, admission });
  const edge = cloud.dial('edge-1', { headers: { 'kedge-link': '1' } });
  const codec = createDenseEdgeCodec(() => 0);
  const replies: Downstream[] = [];
  const texts: string[] = [];
  const socket = edge.socket;
  const report = async (of: string, firstSequence: number, values: readonly string[], replayed?: true) => {
    const message: Upstream = {
      kind: 'samples.report',
      id: messageId(`m-${texts.length}-${of}-${firstSequence}`),
      at: 0,
      device: { namespace: 'default', name: of },
      property: 'temperature',
      stream: 's',
      firstSequence,
      samples: values.map((value, i) => ({ at: 1_000 + firstSequence + i, value })),
      ...(replayed ? { replayed } : {}),
    };
    for (const text of codec.encode([message])) await socket.send(text);
    await settle();
    return message.id;
  };
  edge.onFrame = (text) => {
    texts.push(text);
    for (const received of codec.decode({ data: new TextEncoder().encode(text), binary: false })) {
      if (received.ok) replies.push(received.message);
    }
  };
  const outcomeOf = (id: string) => replies.find((reply) => reply.kind === 'reply' && reply.to === id);

  const first = await report('thermo-1', 1, ['20', '21']);
  await report('thermo-1', 2, ['21', '22'], true);
  const strange = await report('other', 1, ['1']);
  const taken = outcomeOf(first);
  assert.ok(taken?.kind === 'reply' && taken.outcome.ok);
  const refused = outcomeOf(strange);
  assert.ok(refused?.kind === 'reply' && !refused.outcome.ok && refused.outcome.status.reason === 'NotFound');

  const path = '/devices/default/thermo-1/samples?property=temperature';
  const read = await get(cloud.admission!, path, 'good');
  const { samples } = read.body as { samples: { sequence: number; value: string }[] };
  assert.deepEqual(
    samples.map(({ sequence, value }) => [sequence, value]),
    [
      [1, '20'],
      [2, '21'],
      [3, '22'],
    ],
  );
  const page = await get(cloud.admission!, `${path}&limit=2`, 'good');
  const { next } = page.body as { next: string };
  const rest = await get(cloud.admission!, `${path}&after=${next}`, 'good');
  assert.deepEqual(
    (rest.body as { samples: { value: string }[] }).samples.map(({ value }) => value),
    ['22'],
  );
  assert.equal((await get(cloud.admission!, path)).status, 401);
  assert.equal((await get(cloud.admission!, path, 'bad')).status, 401);
  assert.equal((await get(cloud.admission!, path.replace('thermo-1', 'other'), 'good')).status, 403);
  for (const wrong of ['?', '?property=t&limit=0', '?property=t&from=yesterday', '?property=t&after=x']) {
    assert.equal((await get(cloud.admission!, `/devices/default/thermo-1/samples${wrong}`, 'good')).status, 400);
  }
});
