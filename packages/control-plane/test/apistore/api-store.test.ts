// The object store on a real database: revisions, snapshots, watches and compaction.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import {
  apiStoreErrors,
  apiStoreMigrations,
  type ApiStore,
  createApiStore,
  type ObjectKey,
} from '@kedge/control-plane/apistore';
import { FakeClock } from '@kedge/core/testing';
import { minutes } from '@kedge/core/time';
import { openDatabase } from '@kedge/platform/sqlite';
import { temporaryDirectory } from '@kedge/testing/contracts';
import { array, assert as check, asyncProperty, boolean, constantFrom, record } from 'fast-check';

const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });

async function openStore(
  t: TestContext,
  options: { directory?: string; keepEvents?: number; recentBytes?: number } = {},
): Promise<{ store: ApiStore; close: () => Promise<void> }> {
  const directory = options.directory ?? (await temporaryDirectory(t));
  const database = openDatabase({ path: join(directory, 'db'), migrations: apiStoreMigrations, durability: 'normal' });
  let closed: Promise<void> | undefined;
  const close = (): Promise<void> => (closed ??= database.close());
  t.after(close);
  const { keepEvents = 1_000, recentBytes = 1 << 20 } = options;
  return { store: createApiStore({ database, clock, keepFor: minutes(5), keepEvents, recentBytes }), close };
}

const key = (name: string, namespace = 'default', resource = 'pods'): ObjectKey => ({ resource, namespace, name });
const body = (text: string) => (revision: number) => JSON.stringify({ text, revision });
const textOf = (stored: { body: string } | undefined): string | undefined =>
  stored && (JSON.parse(stored.body) as { text: string }).text;

async function put(store: ApiStore, at: ObjectKey, text: string): Promise<number> {
  const outcome = await store.write(at, store.get(at)?.revision ?? 0, body(text));
  assert.ok(outcome.ok);
  return outcome.revision;
}
async function remove(store: ApiStore, at: ObjectKey): Promise<void> {
  assert.ok((await store.write(at, store.get(at)!.revision, undefined)).ok);
}

describe('object store', () => {
  test('every write gets the next revision, and the body knows it', async (t) => {
    const { store } = await openStore(t);
    const [one, two] = await Promise.all([put(store, key('a'), 'x'), put(store, key('b'), 'y')]);
    assert.equal(two, one + 1);
    assert.equal((JSON.parse(store.get(key('b'))!.body) as { revision: number }).revision, two);
    assert.equal(store.revision, two);
  });

  test('of two writers from one state the second loses, and learns what is there', async (t) => {
    const { store } = await openStore(t);
    const revision = await put(store, key('a'), 'first');
    const [won, lost] = await Promise.all([
      store.write(key('a'), revision, body('one')),
      store.write(key('a'), revision, body('two')),
    ]);
    assert.ok(won.ok);
    assert.equal(lost.ok, false);
    assert.equal(textOf(lost.ok ? undefined : lost.current), 'one');
    assert.deepEqual(await store.write(key('absent'), 7, body('x')), { ok: false, current: undefined });
  });

  test('a body that throws undoes its own write alone', async (t) => {
    const { store } = await openStore(t);
    const refused = store.write(key('a'), 0, () => {
      throw new Error('refused');
    });
    const made = put(store, key('b'), 'kept');
    await assert.rejects(refused, /refused/);
    await made;
    assert.equal(store.get(key('a')), undefined);
    assert.equal(textOf(store.get(key('b'))), 'kept');
  });

  test('a page at an older revision shows the collection as it was', async (t) => {
    const { store } = await openStore(t);
    await put(store, key('a'), '1');
    await put(store, key('b'), '1');
    const then = await put(store, key('c'), '1');
    await put(store, key('a'), '2');
    await remove(store, key('b'));
    await put(store, key('bb'), 'new');
    const names = (revision: number) =>
      store.page({ resource: 'pods', limit: 10, revision }).map((row) => `${row.name}=${textOf(row)}`);
    assert.deepEqual(names(then), ['a=1', 'b=1', 'c=1']);
    assert.deepEqual(names(store.revision), ['a=2', 'bb=new', 'c=1']);
    const second = store.page({
      resource: 'pods',
      after: { namespace: 'default', name: 'a' },
      limit: 1,
      revision: then,
    });
    assert.deepEqual(
      second.map(({ name }) => name),
      ['b'],
    );
  });

  test('snapshots at every revision agree with a plain model', async (t) => {
    const step = record({
      name: constantFrom('a', 'b', 'c', 'd'),
      namespace: constantFrom('x', 'y'),
      remove: boolean(),
    });
    await check(
      asyncProperty(array(step, { maxLength: 25 }), async (steps) => {
        const { store, close } = await openStore(t);
        const model = new Map<string, string>();
        const snapshots = new Map([[store.revision, new Map(model)]]);
        for (const [at, { name, namespace, remove: removing }] of steps.entries()) {
          const where = key(name, namespace);
          const id = `${namespace}/${name}`;
          if (removing && !model.has(id)) continue;
          if (removing) {
            await remove(store, where);
            model.delete(id);
          } else {
            await put(store, where, String(at));
            model.set(id, String(at));
          }
          snapshots.set(store.revision, new Map(model));
        }
        for (const [revision, expected] of snapshots) {
          const rows = store.page({ resource: 'pods', limit: 100, revision });
          const seen = new Map(rows.map((row) => [`${row.namespace}/${row.name}`, textOf(row)!]));
          assert.deepEqual([...seen].sort(), [...expected].sort());
        }
        await close();
      }),
      { numRuns: 20 },
    );
  });

  for (const [where, recentBytes] of [
    ['memory', 1 << 20],
    ['the history table', 1],
  ] as const) {
    test(`a watch tells every change of its namespace in order, from ${where}`, async (t) => {
      const { store } = await openStore(t, { recentBytes });
      const from = store.revision;
      await put(store, key('a'), '1');
      await put(store, key('a'), '2');
      await put(store, key('z', 'other'), '1');
      await put(store, key('s', 'default', 'services'), '1');
      await remove(store, key('a'));
      const watcher = store.watch({ resource: 'pods', namespace: 'default' }, from);
      const { events, revision } = watcher.next();
      const text = (one: string | undefined) => one && (JSON.parse(one) as { text: string }).text;
      assert.deepEqual(
        events.map(({ before, after }) => [text(before), text(after)]),
        [
          [undefined, '1'],
          ['1', '2'],
          ['2', undefined],
        ],
      );
      assert.equal(revision, store.revision);
      watcher.close();
    });
  }

  test('a watcher that has caught up waits for the next change of its collection', async (t) => {
    const { store } = await openStore(t);
    const watcher = store.watch({ resource: 'pods' }, store.revision);
    assert.deepEqual(watcher.next().events, []);
    let woken = false;
    const waiting = watcher.wait(new AbortController().signal).then(() => (woken = true));
    await put(store, key('a', 'default', 'services'), '1');
    assert.equal(woken, false);
    await put(store, key('a'), '1');
    await waiting;
    assert.equal(watcher.next().events.length, 1);
    const stop = new AbortController();
    const ended = assert.rejects(watcher.wait(stop.signal), /stop/);
    stop.abort(new Error('stop'));
    await ended;
    watcher.close();
  });

  test('compaction keeps the newest writes, and older revisions answer that they are gone', async (t) => {
    const { store } = await openStore(t, { keepEvents: 2 });
    const first = await put(store, key('a'), '1');
    const watcher = store.watch({ resource: 'pods' }, first - 1);
    for (let i = 0; i < 5; i++) await put(store, key('a'), String(i));
    await store.compact();
    assert.throws(() => store.page({ resource: 'pods', limit: 1, revision: first }), apiStoreErrors.COMPACTED.is);
    assert.throws(() => store.watch({ resource: 'pods' }, first), apiStoreErrors.COMPACTED.is);
    assert.equal(watcher.next().events.length, 6, 'memory still has them');
    assert.equal(store.page({ resource: 'pods', limit: 9, revision: store.revision - 2 }).length, 1);
    watcher.close();
  });

  test('history older than its time goes, however little there is', async (t) => {
    const { store } = await openStore(t);
    const old = await put(store, key('a'), '1');
    await clock.advance(minutes(6));
    await put(store, key('a'), '2');
    await store.compact();
    assert.equal(store.compacted, old);
  });

  test('revisions go on where they were after a restart, deletions and compaction included', async (t) => {
    const directory = await temporaryDirectory(t);
    const before = await openStore(t, { directory, keepEvents: 1 });
    await put(before.store, key('a'), '1');
    await remove(before.store, key('a'));
    await before.store.compact();
    const { revision } = before.store;
    await before.close();
    const { store } = await openStore(t, { directory });
    assert.equal(store.revision, revision);
    assert.equal(await put(store, key('a'), '2'), revision + 1);
    const watcher = store.watch({ resource: 'pods' }, revision);
    assert.equal(watcher.next().events.length, 1);
    watcher.close();
  });
});
