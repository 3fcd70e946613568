import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ResponseStream } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { type Duration, minutes, seconds } from '@kedge/core/time';
import { fail, type KubeObject } from '@kedge/model/k8s';
import { findResource } from '@kedge/model/k8s-resources';
import { documentOfObject, type WatchChange, type WatchSource } from './object-api.ts';
import { plainLayout } from './table.ts';
import { runWatch, type WatchForm } from './watch-answer.ts';

const resource = findResource({ group: '', version: 'v1', resource: 'configmaps' })!;
const plain: WatchForm = { resource, form: 'object', layout: plainLayout, include: 'None' };

/** A store that a test moves on by hand. */
function createSource() {
  let queue: WatchChange[] = [];
  let version = 1;
  let wake: () => void = () => undefined;
  let failure: Error | undefined;
  const source: WatchSource & { closed: boolean } = {
    closed: false,
    next() {
      if (failure) throw failure;
      const changes = queue;
      queue = [];
      return { changes, resourceVersion: String(version) };
    },
    wait: (signal) =>
      new Promise((resolve, reject) => {
        wake = resolve;
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      }),
    close() {
      this.closed = true;
    },
  };
  return {
    source,
    /** Something happened in another collection. */
    pass: () => void version++,
    change(name: string) {
      version++;
      const object: KubeObject = { metadata: { name, resourceVersion: String(version) } };
      queue.push({ type: 'ADDED', document: documentOfObject(object) });
      wake();
    },
    fail(error: Error) {
      failure = error;
      wake();
    },
  };
}

function createClient() {
  const state = { text: '', ended: false, destroyed: false, reads: true };
  const stream: ResponseStream = {
    write(chunk) {
      state.text += String(chunk);
      return state.reads;
    },
    get bufferedBytes() {
      return state.reads ? 0 : state.text.length;
    },
    drained: () => new Promise(() => undefined),
    end: () => void (state.ended = true),
    destroy: () => void (state.destroyed = true),
  };
  const events = (): { type: string; object: KubeObject & { reason?: string } }[] =>
    state.text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as { type: string; object: KubeObject });
  return { state, stream, events };
}

function start(form: WatchForm = plain, lasts: Duration = minutes(30)) {
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const store = createSource();
  const client = createClient();
  const stop = new AbortController();
  const ended = runWatch({
    clock,
    stream: client.stream,
    form,
    initial: undefined,
    markInitialEnd: false,
    open: async () => store.source,
    bookmarks: true,
    lasts,
    signal: stop.signal,
  });
  return { clock, store, client, stop, ended };
}

describe('a watch', () => {
  test('tells changes as they happen, and how far it is when nothing does', async () => {
    const { clock, store, client, stop, ended } = start();
    await clock.advance(seconds(1));
    store.change('a');
    await clock.advance(seconds(30));
    assert.deepEqual(
      client.events().map(({ type }) => type),
      ['ADDED'],
    );
    store.pass();
    await clock.advance(minutes(2));
    assert.deepEqual(
      client.events().map(({ type, object }) => `${type} ${object.metadata.resourceVersion}`),
      ['ADDED 2', 'BOOKMARK 3'],
    );
    stop.abort(new Error('gone'));
    await ended;
    assert.ok(client.state.destroyed && store.source.closed);
  });

  test('ends by itself when its time is up', async () => {
    const { clock, client, store, ended } = start(plain, seconds(90));
    await clock.advance(seconds(91));
    await ended;
    assert.ok(client.state.ended && store.source.closed);
  });

  test('that has fallen too far behind ends with an error the client understands', async () => {
    const { clock, store, client, ended } = start();
    await clock.advance(seconds(1));
    store.fail(fail('Expired', 'too old resource version: 1'));
    await clock.advance(seconds(1));
    await ended;
    assert.deepEqual(
      client.events().map(({ type, object }) => `${type} ${object.reason}`),
      ['ERROR Expired'],
    );
  });

  test('cuts off a client that does not read', async () => {
    const { clock, store, client, ended } = start();
    await clock.advance(seconds(1));
    client.state.reads = false;
    store.change('a');
    await clock.advance(seconds(31));
    await ended;
    assert.ok(client.state.destroyed && store.source.closed);
  });

  test('as a table sends its columns once', async () => {
    const { clock, store, client, stop, ended } = start({ ...plain, form: 'table' });
    await clock.advance(seconds(1));
    store.change('a');
    await clock.advance(seconds(1));
    store.change('b');
    await clock.advance(seconds(1));
    const tables = client
      .events()
      .map(({ object }) => object as unknown as { columnDefinitions: unknown[]; rows: { cells: unknown[] }[] });
    assert.deepEqual(
      tables.map(({ columnDefinitions, rows }) => [columnDefinitions.length, rows[0]?.cells[0]]),
      [
        [2, 'a'],
        [0, 'b'],
      ],
    );
    stop.abort(new Error('gone'));
    await ended;
  });
});
