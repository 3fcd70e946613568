// Events as they end up in the API: repeats counted, floods cut, nothing ever in the caller's way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { minutes, seconds } from '@kedge/core/time';
import { createEventSink } from '@kedge/engine/event-recorder';
import { collections } from '@kedge/engine/kube-client';
import { fail } from '@kedge/model/k8s';
import type { Event } from '@kedge/model/k8s-types';
import { createFakeKubeApi } from '@kedge/testing/kube';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const pod = (name = 'web', resourceVersion = '1') => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', uid: `uid-${name}`, resourceVersion },
});

async function setUp() {
  const clock = new FakeClock({ settle });
  const api = createFakeKubeApi({ clock });
  const sink = createEventSink({ api, clock, log: silentLog, host: 'edge-1' });
  const scope = openScope({ clock, name: 'test' });
  await sink.start(scope);
  const events = async () => (await api.list(collections.events)).items as unknown as Event[];
  const flush = async () => {
    for (let i = 0; i < 20; i++) await settle();
  };
  return { clock, api, sink, events, flush, close: () => clock.until(scope.close(seconds(1))) };
}

test('an event says what happened to whom, when, and who saw it', async () => {
  const { sink, events, flush, close } = await setUp();
  sink.from('default-scheduler').normal(pod(), 'Scheduled', 'Successfully assigned shop/web to edge-1');
  await flush();
  const [event] = await events();
  assert.match(event!.metadata.name!, /^web\.[0-9a-f]{16}$/);
  assert.deepEqual(event!.involvedObject, {
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: 'shop',
    name: 'web',
    uid: 'uid-web',
    resourceVersion: '1',
  });
  assert.deepEqual(
    [
      event!.metadata.namespace,
      event!.type,
      event!.reason,
      event!.count,
      event!.source,
      event!.reportingComponent,
      event!.firstTimestamp,
    ],
    [
      'shop',
      'Normal',
      'Scheduled',
      1,
      { component: 'default-scheduler', host: 'edge-1' },
      'default-scheduler',
      '2026-01-01T00:00:00Z',
    ],
  );
  await close();
});

test('the same again is a higher count, whatever version the object has by then', async () => {
  const { clock, sink, events, flush, close } = await setUp();
  for (const version of ['1', '2', '3']) {
    sink.from('kubelet').warning(pod('web', version), 'BackOff', 'Back-off restarting');
    await flush();
    await clock.advance(seconds(10));
  }
  const all = await events();
  assert.deepEqual(
    all.map(({ count, firstTimestamp, lastTimestamp }) => [count, firstTimestamp, lastTimestamp]),
    [[3, '2026-01-01T00:00:00Z', '2026-01-01T00:00:20Z']],
  );
  await close();
});

test('another reason, message or component is another event', async () => {
  const { sink, events, flush, close } = await setUp();
  sink.from('kubelet').normal(pod(), 'Pulled', 'one');
  sink.from('kubelet').normal(pod(), 'Pulled', 'two');
  sink.from('scheduler').normal(pod(), 'Pulled', 'one');
  await flush();
  assert.equal((await events()).length, 3);
  await close();
});

test('an event that was cleaned up meanwhile starts anew', async () => {
  const { api, sink, events, flush, close } = await setUp();
  sink.from('kubelet').normal(pod(), 'Pulled', 'one');
  await flush();
  for (const { metadata } of await events())
    await api.delete(collections.events, { namespace: 'shop', name: metadata.name! });
  sink.from('kubelet').normal(pod(), 'Pulled', 'one');
  await flush();
  assert.deepEqual(
    (await events()).map(({ count }) => count),
    [1],
  );
  await close();
});

test('an object that causes a flood is cut off, others are not, and it may speak again later', async () => {
  const { clock, sink, events, flush, close } = await setUp();
  const recorder = sink.from('kubelet');
  for (let i = 0; i < 100; i++) recorder.normal(pod('noisy'), 'Tick', `tick ${i}`);
  recorder.normal(pod('quiet'), 'Pulled', 'one');
  for (let i = 0; i < 20; i++) await flush();
  assert.equal((await events()).length, 26);
  await clock.advance(minutes(6));
  recorder.normal(pod('noisy'), 'Tick', 'late');
  await flush();
  assert.equal((await events()).length, 27);
  await close();
});

test('a server that is away is asked again, one that refuses is not', async () => {
  const { api, clock, sink, events, flush, close } = await setUp();
  api.failNext('create', 'events', new Error('connection refused'));
  sink.from('kubelet').normal(pod(), 'Pulled', 'one');
  await flush();
  assert.equal((await events()).length, 0);
  await clock.advance(seconds(3));
  assert.equal((await events()).length, 1);
  api.failNext('create', 'events', fail('Forbidden', 'namespace is terminating'));
  sink.from('kubelet').normal(pod(), 'Created', 'two');
  await flush();
  await clock.advance(seconds(60));
  assert.equal((await events()).length, 1);
  await close();
});

test('something without a namespace has its events in default, and long messages are cut', async () => {
  const { sink, events, flush, close } = await setUp();
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'edge-1', uid: 'u' } };
  sink.from('node-controller').normal(node, 'NodeNotReady', 'x'.repeat(5_000));
  await flush();
  const [event] = await events();
  assert.deepEqual(
    [event!.metadata.namespace, event!.message!.length, event!.message!.endsWith('...')],
    ['default', 1_024, true],
  );
  await close();
});
