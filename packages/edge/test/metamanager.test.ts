import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '@kedge/core/log';
import type { Database } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { hours, minutes, plus, seconds, toTime } from '@kedge/core/time';
import { createMetaManager, edgeMigrations } from '@kedge/edge/metamanager';
import { type KubeObject, nodeName, resourceVersion } from '@kedge/model/k8s';
import { messageId, type ObjectRef, type Outcome, type Question } from '@kedge/model/messages';
import { openDatabase } from '@kedge/platform/sqlite';
import { countingRandom, openTestDatabase, settle } from './link-fixture.ts';

const node = nodeName('edge-1');
const { signal } = new AbortController();

function start(db: Database = openTestDatabase(), clock = new FakeClock({ settle })) {
  const meta = createMetaManager({ db, clock, log: silentLog, random: countingRandom(), node });
  /** Answers every question from now on; undefined goes back offline. */
  const answer = (how: (question: Question) => Outcome<unknown>): (() => void) =>
    meta.asks.attach(async (question) => {
      const reply = { id: messageId('r'), at: 0, to: question.id, question: question.kind, ref: undefined };
      await meta.handlers.reply({ kind: 'reply', ...reply, outcome: how(question), wantsAck: false });
    });
  const put = (type: string, object: KubeObject, owner: 'edgecontroller' | 'dynamiccontroller' = 'edgecontroller') =>
    meta.handlers['object.put']({
      kind: 'object.put',
      id: messageId('p'),
      at: 0,
      ref: { type, namespace: 'default', name: object.metadata.name ?? '' },
      version: resourceVersion(object.metadata.resourceVersion ?? ''),
      object,
      owner,
      change: 'update',
    });
  const remove = (type: string, { metadata }: KubeObject) =>
    meta.handlers['object.delete']({
      kind: 'object.delete',
      id: messageId('d'),
      at: 0,
      ref: { type, namespace: 'default', name: metadata.name ?? '' },
      uid: metadata.uid as never,
      object: { metadata },
      version: undefined,
      owner: 'edgecontroller',
    });
  return { meta, clock, db, answer, put, remove };
}

const object = (name: string, uid: string, version: number, more: object = {}): KubeObject => ({
  metadata: {
    name,
    namespace: 'default',
    uid,
    resourceVersion: String(version),
    creationTimestamp: `2026-01-01T00:00:0${uid.length % 10}Z`,
    managedFields: [{ manager: 'kubectl' }],
  },
  ...more,
});
const pod = (name: string, uid: string, version: number, spec: object = {}): KubeObject =>
  object(name, uid, version, { spec: { nodeName: node, containers: [], ...spec } });

test('pods and the outbox come back from the file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-meta-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const open = () => openDatabase({ path: join(folder, 'edge.db'), migrations: edgeMigrations, durability: 'normal' });
  const first = start(open());
  await first.put('pod', pod('web', 'u1', 3));
  const ref: ObjectRef = { type: 'pod', namespace: 'default', name: 'web' };
  await first.meta.outbox.podStatus({ ref, uid: 'u1', status: { phase: 'Running' } });
  await first.db.close();

  const { meta, db } = start(open());
  const [stored] = meta.pods.list();
  assert.deepEqual([stored?.kind, stored?.metadata.uid, stored?.metadata.managedFields], ['Pod', 'u1', undefined]);
  assert.deepEqual(meta.outbox.take(() => false)?.send, {
    as: 'question',
    body: { kind: 'pod.status', ref, patch: '{"metadata":{"uid":"u1"},"status":{"phase":"Running"}}' },
  });
  await db.close();
});

test('pods of other nodes and objects of watches are not kept', async () => {
  const { meta, put } = start();
  await put('pod', pod('elsewhere', 'u1', 1, { nodeName: 'other' }));
  await put('pod', pod('watched', 'u2', 1), 'dynamiccontroller');
  assert.deepEqual(meta.inventory(), []);
});

test('a pod of the same name replaces its predecessor, and listeners hear of both', async () => {
  const { meta, put, remove } = start();
  const heard: string[] = [];
  meta.pods.listen({
    onPut: ({ metadata }) => heard.push(`put ${metadata.uid}`),
    onDelete: ({ metadata }) => heard.push(`delete ${metadata.uid}`),
  });
  await put('pod', pod('web-0', 'u1', 5));
  await put('pod', pod('web-0', 'u22', 9));
  await remove('pod', pod('web-0', 'u1', 5));
  assert.deepEqual(heard, ['put u1', 'delete u1', 'put u22']);
  assert.deepEqual(
    meta.pods.list().map(({ metadata }) => metadata.uid),
    ['u22'],
  );
});

test('what only a deleted pod used is forgotten, what another uses stays', async () => {
  const { meta, put, remove } = start();
  const first = pod('first', 'u1', 1, {
    volumes: [
      { name: 'a', configMap: { name: 'shared' } },
      { name: 'b', secret: { secretName: 'own' } },
      { name: 'c', projected: { sources: [{ configMap: { name: 'kube-root-ca.crt' } }] } },
    ],
    imagePullSecrets: [{ name: 'registry' }],
  });
  const second = pod('second', 'u2', 1, {
    containers: [{ name: 'c', envFrom: [{ configMapRef: { name: 'shared' } }] }],
    initContainers: [{ name: 'i', env: [{ name: 'E', valueFrom: { secretKeyRef: { name: 'registry', key: 'k' } } }] }],
  });
  await put('pod', first);
  await put('pod', second);
  for (const name of ['shared', 'kube-root-ca.crt']) await put('configmap', object(name, `c-${name}`, 2));
  for (const name of ['own', 'registry']) await put('secret', object(name, `s-${name}`, 2));
  await remove('pod', first);
  assert.deepEqual(
    meta
      .inventory()
      .map(({ ref }) => `${ref.type} ${ref.name}`)
      .sort(),
    ['configmap shared', 'pod second', 'secret registry'],
  );
});

test('reports of a deleted pod are not sent any more, and its late answer does not bring it back', async () => {
  const { meta, put, remove } = start();
  const web = pod('web', 'u1', 1);
  const ref: ObjectRef = { type: 'pod', namespace: 'default', name: 'web' };
  await put('pod', web);
  await meta.outbox.podStatus({ ref, uid: 'u1', status: { phase: 'Running' } });
  const item = meta.outbox.take(() => false)!;
  await remove('pod', web);
  assert.equal(
    meta.outbox.take(() => false),
    undefined,
  );
  await meta.outbox.settle(item, { ok: true, value: { ...web, status: {} } });
  assert.deepEqual(meta.pods.list(), []);
});

test('a report that was replaced while under way is sent again, an identical one is not', async () => {
  const { meta, put } = start();
  const ref: ObjectRef = { type: 'pod', namespace: 'default', name: 'web' };
  await put('pod', pod('web', 'u1', 1));
  await meta.outbox.podStatus({ ref, uid: 'u1', status: { phase: 'Pending' } });
  const first = meta.outbox.take(() => false)!;
  await meta.outbox.podStatus({ ref, uid: 'u1', status: { phase: 'Running' } });
  assert.equal(
    meta.outbox.take((key) => key === first.key),
    undefined,
  );
  await meta.outbox.settle(first, { ok: true, value: { metadata: { uid: 'u1', resourceVersion: '2' } } });
  const second = meta.outbox.take(() => false)!;
  assert.match(JSON.stringify(second.send), /Running/);
  await meta.outbox.settle(second, { ok: true, value: { metadata: { uid: 'u1', resourceVersion: '3' } } });
  assert.equal(meta.pods.get('u1')?.status?.phase, 'Running');
  assert.equal(meta.pods.get('u1')?.metadata.resourceVersion, '1', 'a push under way must not look old');
  await meta.outbox.podStatus({ ref, uid: 'u1', status: { phase: 'Running' } });
  assert.equal(
    meta.outbox.take(() => false),
    undefined,
  );
});

test('an answer about a status does not set back a pod that is on its way to the disk', async () => {
  const { meta, put } = start();
  const ref: ObjectRef = { type: 'pod', namespace: 'default', name: 'web' };
  const report = { uid: 'u1', status: { phase: 'Running' } };
  await put('pod', pod('web', 'u1', 1));
  await meta.outbox.podStatus({ ref, ...report });
  const item = meta.outbox.take(() => false)!;
  const ending = pod('web', 'u1', 2);
  ending.metadata.deletionTimestamp = '2026-01-01T00:01:00Z';
  const pushed = put('pod', ending);
  await meta.outbox.settle(item, { ok: true, value: { metadata: { uid: 'u1', resourceVersion: '2' } } });
  await pushed;
  const stored = await meta.objects.get('pod' as never, 'default', 'web', signal);
  for (const one of [meta.pods.get('u1'), stored.ok ? stored.value : undefined]) {
    assert.equal(one?.metadata.deletionTimestamp, '2026-01-01T00:01:00Z');
    assert.equal((one?.['status'] as { phase?: string } | undefined)?.phase, 'Running');
  }
});

test('of many events the newest stay', async () => {
  const { meta, clock } = start();
  for (let i = 0; i < 300; i++) {
    const name = `e${i}`;
    meta.outbox.event({
      ref: { type: 'event', namespace: 'default', name },
      event: object(name, 'u', 1),
      change: 'insert',
    });
  }
  await clock.advance(minutes(1));
  const busy = new Set<string>();
  for (;;) {
    const item = meta.outbox.take((key) => busy.has(key));
    if (!item) break;
    busy.add(item.key);
  }
  assert.equal(busy.size, 256);
  assert.ok(busy.has('event/default/e299') && !busy.has('event/default/e0'));
});

const request = {
  namespace: 'default',
  serviceAccount: 'default',
  pod: { name: 'web', uid: 'u1' },
  audiences: [],
  expirationSeconds: 3_600,
};

test('a token is asked for once, renewed at four fifths of its life, and handed out expired while the cloud is away', async () => {
  const { meta, clock, answer } = start();
  let issued = 0;
  const goOnline = () =>
    answer(() => {
      const status = { token: `token-${++issued}`, expirationTimestamp: toTime(plus(clock.now(), hours(1))) };
      return { ok: true, value: { metadata: {}, status } };
    });
  const token = async () => {
    const outcome = await meta.tokens.request(request, signal);
    return outcome.ok ? outcome.value.token : outcome.status.reason;
  };
  assert.equal(await token(), 'ServiceUnavailable');
  const goOffline = goOnline();
  assert.equal(await token(), 'token-1');
  await clock.advance(minutes(47));
  assert.equal(await token(), 'token-1');
  await clock.advance(minutes(2));
  assert.equal(await token(), 'token-2');
  goOffline();
  await clock.advance(hours(5));
  assert.equal(await token(), 'token-2');
  answer(() => ({ ok: false, status: { reason: 'NotFound' } }));
  assert.equal(await token(), 'NotFound', 'a refusal is not papered over');
});

test('a question that nobody answers ends after a minute, one whose asker gives up at once', async () => {
  const { meta, clock } = start();
  meta.asks.attach(async () => undefined);
  const ref: ObjectRef = { type: 'configmap', namespace: 'default', name: 'x' };
  const late = await clock.until(meta.asks.ask({ kind: 'object.get', ref }, signal));
  assert.equal(!late.ok && late.status.reason, 'Timeout');
  assert.equal(clock.monotonic(), 60_000);
  const stop = new AbortController();
  const given = meta.asks.ask({ kind: 'object.get', ref }, stop.signal);
  stop.abort(new Error('enough'));
  await assert.rejects(given, /enough/);
});

const service = (name: string, port = 80) => ({
  metadata: { name, namespace: 'default' },
  spec: { clusterIP: '10.0.0.2', ports: [{ port }] },
});
const serviceList = (items: unknown): Outcome<unknown> => ({ ok: true, value: { kind: 'ServiceList', items } });

test('services are those of now, and those of before once the cloud is away, also after a restart', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'kedge-meta-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const open = () => openDatabase({ path: join(folder, 'edge.db'), migrations: edgeMigrations, durability: 'normal' });
  const first = start(open());
  assert.deepEqual(await first.meta.services.around('default', signal), []);
  for (const port of [80, 81]) {
    const offline = first.answer(() => serviceList([service('db', port), { metadata: { name: 'broken' } }, null]));
    assert.deepEqual(await first.meta.services.around('default', signal), [service('db', port)]);
    offline();
  }
  assert.deepEqual(await first.meta.services.around('default', signal), [service('db', 81)]);
  await first.db.close();

  const { meta, db, answer } = start(open());
  assert.deepEqual(await meta.services.around('default', signal), [service('db', 81)]);
  answer(() => ({ ok: false, status: { kind: 'Status', status: 'Failure', reason: 'Forbidden', code: 403 } as never }));
  assert.deepEqual(await meta.services.around('default', signal), [service('db', 81)]);
  await db.close();
});

test('services of a namespace that has no pods any more are forgotten with the next answer', async () => {
  const { meta, db, answer, put } = start();
  await put('pod', pod('web', 'u1', 1));
  const namespaces = () =>
    db
      .statement<{ namespace: string }>('SELECT namespace FROM service_list ORDER BY 1')
      .all()
      .map((row) => row.namespace);
  answer(() => serviceList([service('db')]));
  for (const namespace of ['default', 'old', 'new']) await meta.services.around(namespace, signal);
  assert.deepEqual(namespaces(), ['default', 'new']);
});

test('a cloud that does not answer about services holds a start up once, and is asked again later', async () => {
  const { meta, clock } = start();
  let asked = 0;
  meta.asks.attach(async () => void asked++);
  const began = clock.monotonic();
  for (let i = 0; i < 3; i++) assert.deepEqual(await clock.until(meta.services.around('default', signal)), []);
  assert.deepEqual([clock.monotonic() - began, asked], [5_000, 1]);
  await clock.advance(seconds(30));
  await clock.until(meta.services.around('default', signal));
  assert.equal(asked, 2);
});
