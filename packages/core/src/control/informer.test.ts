// Informers: a copy of a collection that is right again after whatever the server does.
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { type Change, createInformer, indexBy, type Informer, type ListWatch } from '@kedge/core/control';
import { BoundedQueue, openScope, orAbort } from '@kedge/core/flow';
import { createLog, type LogRecord } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { minutes, seconds } from '@kedge/core/time';

const settle = async () => {
  for (let turn = 0; turn < 3; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
};

interface Thing {
  readonly name: string;
  readonly version: number | undefined;
  readonly colour: string;
}

/** A collection whose server can be told to misbehave. */
class Collection implements ListWatch<Thing> {
  readonly things = new Map<string, Thing>();
  readonly log: { at: number; change: Change<Thing> }[] = [];
  version = 0;
  lists = 0;
  watches: string[] = [];
  failLists = 0;
  oldestKept = 0;
  #open = new Set<BoundedQueue<Change<Thing> | 'cut'>>();

  put(name: string, colour: string): void {
    const type = this.things.has(name) ? 'modified' : 'added';
    const thing = { name, colour, version: (this.version += 1) };
    this.things.set(name, thing);
    this.#record({ type, object: thing, resourceVersion: String(this.version) });
  }

  delete(name: string): void {
    const thing = this.things.get(name);
    if (!thing) return;
    this.things.delete(name);
    this.version += 1;
    this.#record({
      type: 'deleted',
      object: { ...thing, version: this.version },
      resourceVersion: String(this.version),
    });
  }

  bookmark(): void {
    this.#send({ type: 'bookmark', resourceVersion: String(this.version) });
  }

  /** Breaks every open watch. */
  cut(): void {
    for (const queue of this.#open) queue.push('cut');
  }

  /** Ends every open watch in an orderly way. */
  end(): void {
    for (const queue of this.#open) queue.close();
  }

  /** Changes so far can no longer be asked for. */
  forget(): void {
    this.oldestKept = this.version;
  }

  async list(signal: AbortSignal) {
    this.lists += 1;
    signal.throwIfAborted();
    if (this.failLists > 0) {
      this.failLists -= 1;
      throw new Error('server is busy');
    }
    return { items: [...this.things.values()], resourceVersion: String(this.version) };
  }

  async *watch(from: string, signal: AbortSignal): AsyncGenerator<Change<Thing>> {
    this.watches.push(from);
    if (Number(from) < this.oldestKept) {
      yield { type: 'expired' };
      return;
    }
    const queue = new BoundedQueue<Change<Thing> | 'cut'>('watch', 10_000);
    for (const { at, change } of this.log) if (at > Number(from)) queue.push(change);
    this.#open.add(queue);
    try {
      for (;;) {
        const next = await orAbort(queue.take(signal), signal);
        if (next === undefined) return;
        if (next === 'cut') throw new Error('connection reset');
        yield next;
      }
    } finally {
      this.#open.delete(queue);
    }
  }

  #record(change: Change<Thing>): void {
    this.log.push({ at: this.version, change });
    this.#send(change);
  }

  #send(change: Change<Thing>): void {
    for (const queue of this.#open) queue.push(change);
  }
}

function place(t: TestContext, source: ListWatch<Thing>) {
  const clock = new FakeClock({ settle });
  const logged: LogRecord[] = [];
  const log = createLog({ now: () => clock.now(), level: 'warn', write: (record) => logged.push(record) });
  const informer = createInformer<Thing>({
    name: 'things',
    clock,
    log,
    source,
    keyOf: ({ name }) => name,
    versionOf: ({ version }) => (version === undefined ? undefined : String(version)),
  });
  const scope = openScope({ clock, name: 'test' });
  t.after(() => clock.until(scope.close(seconds(1))));
  return { clock, logged, informer, scope };
}

const contents = (informer: Informer<Thing>) =>
  [...informer.list()].map(({ name, colour }) => `${name} ${colour}`).sort();

function record(informer: Informer<Thing>): string[] {
  const seen: string[] = [];
  informer.listen({
    onPut: (thing, before) => seen.push(`${before ? `${before.colour} -> ` : '+ '}${thing.name} ${thing.colour}`),
    onDelete: ({ name }) => seen.push(`- ${name}`),
  });
  return seen;
}

describe('an informer', () => {
  test('lists, says that it has, and follows from there', async (t) => {
    const things = new Collection();
    things.put('a', 'red');
    const { informer, scope } = place(t, things);
    const seen = record(informer);
    assert.equal(informer.isSynced, false);
    informer.start(scope);
    await informer.synced(scope.signal);
    assert.equal(informer.isSynced, true);
    await settle();
    things.put('b', 'blue');
    things.put('a', 'green');
    things.delete('b');
    await settle();
    assert.deepEqual(seen, ['+ a red', '+ b blue', 'red -> a green', '- b']);
    assert.deepEqual(contents(informer), ['a green']);
    assert.equal(informer.get('a')?.colour, 'green');
    assert.equal(informer.size, 1);
    assert.deepEqual([things.lists, things.watches], [1, ['1']]);
  });

  test('tells a late listener everything there is, until it stops listening', async (t) => {
    const things = new Collection();
    things.put('a', 'red');
    const { informer, scope } = place(t, things);
    informer.start(scope);
    await settle();
    const seen: string[] = [];
    const stop = informer.listen({ onPut: ({ name }) => seen.push(name) });
    stop();
    things.put('b', 'blue');
    await settle();
    assert.deepEqual(seen, ['a']);
  });

  test('goes on where it was after a cut, without a new list and without repeats', async (t) => {
    const things = new Collection();
    things.put('a', 'red');
    const { clock, informer, scope } = place(t, things);
    const seen = record(informer);
    informer.start(scope);
    await settle();
    things.put('b', 'blue');
    things.delete('b');
    await settle();
    things.cut();
    await settle();
    things.put('c', 'white');
    await clock.advance(seconds(60));
    assert.deepEqual(seen, ['+ a red', '+ b blue', '- b', '+ c white']);
    assert.equal(things.lists, 1);
    assert.deepEqual(things.watches, ['1', '3']);
  });

  test('bookmarks move it on', async (t) => {
    const things = new Collection();
    const { clock, informer, scope } = place(t, things);
    informer.start(scope);
    await settle();
    things.version = 500;
    things.bookmark();
    await settle();
    things.end();
    await clock.advance(seconds(60));
    assert.deepEqual(things.watches, ['0', '500']);
  });

  test('lists again when the server has forgotten where it was, and notices what went away meanwhile', async (t) => {
    const things = new Collection();
    for (const name of ['a', 'b', 'c']) things.put(name, 'red');
    const { clock, informer, scope } = place(t, things);
    const seen = record(informer);
    informer.start(scope);
    await settle();
    things.cut();
    await settle();
    things.delete('b');
    things.put('c', 'green');
    things.forget();
    await clock.advance(seconds(60));
    assert.deepEqual(seen.slice(3), ['- b', 'red -> c green']);
    assert.equal(things.lists, 2);
  });

  test('waits longer and longer for a server that fails, and recovers', async (t) => {
    const things = new Collection();
    things.failLists = 8;
    const { clock, informer, scope } = place(t, things);
    informer.start(scope);
    await clock.advance(seconds(10));
    assert.equal(things.lists, 6);
    await clock.until(informer.synced(scope.signal));
    assert.ok(clock.monotonic() < minutes(2));
  });

  test('does not ask a server in a tight loop that ends every watch at once', async (t) => {
    let watches = 0;
    const { clock, informer, scope } = place(t, {
      list: async () => ({ items: [], resourceVersion: '1' }),
      watch() {
        watches += 1;
        const ended = new BoundedQueue<Change<Thing>>('ended', 1);
        ended.close();
        return ended;
      },
    });
    informer.start(scope);
    await clock.advance(minutes(5));
    assert.ok(watches > 5 && watches < 25, `${watches} watches in five minutes`);
  });

  test('a quiet watch that ended after a while was a good one', async (t) => {
    const things = new Collection();
    things.failLists = 7;
    const { clock, informer, scope } = place(t, things);
    informer.start(scope);
    await clock.until(informer.synced(scope.signal));
    await clock.advance(minutes(5));
    things.end();
    await settle();
    assert.deepEqual(things.watches, ['0', '0']);
    things.cut();
    await clock.advance(seconds(1));
    assert.equal(things.watches.length, 3);
  });

  test('a listener with a defect does not keep the others from hearing', async (t) => {
    const things = new Collection();
    const { informer, logged, scope } = place(t, things);
    informer.listen({
      onPut: () => {
        throw new Error('defect');
      },
    });
    const seen = record(informer);
    informer.start(scope);
    await settle();
    things.put('a', 'red');
    things.put('b', 'blue');
    await settle();
    assert.deepEqual(seen, ['+ a red', '+ b blue']);
    assert.equal(logged.length, 2);
    assert.equal(things.watches.length, 1);
  });

  test('objects without versions are always news', async (t) => {
    const changes = new BoundedQueue<Change<Thing>>('changes', 10);
    const { informer, scope } = place(t, {
      list: async () => ({ items: [{ name: 'a', version: undefined, colour: 'red' }], resourceVersion: '1' }),
      watch: () => changes,
    });
    informer.start(scope);
    const object = { name: 'a', version: undefined, colour: 'green' };
    changes.push({ type: 'modified', object, resourceVersion: '2' });
    await settle();
    assert.deepEqual(contents(informer), ['a green']);
    changes.close();
  });

  test('whatever happens, the copy becomes what the collection is', async (t) => {
    const name = fc.constantFrom('a', 'b', 'c', 'd');
    const step = fc.oneof(
      fc.record({ do: fc.constant('put' as const), name, colour: fc.constantFrom('red', 'green') }),
      fc.record({ do: fc.constant('delete' as const), name }),
      fc.record({ do: fc.constantFrom('cut' as const, 'end' as const, 'forget' as const, 'bookmark' as const) }),
      fc.record({ do: fc.constant('wait' as const) }),
    );
    const run = async (steps: readonly (typeof step extends fc.Arbitrary<infer S> ? S : never)[]) => {
      const things = new Collection();
      const { clock, informer, scope } = place(t, things);
      const mirror = new Map<string, string>();
      const colours = indexBy(
        informer,
        (thing) => thing.name,
        ({ colour }) => [colour],
      );
      informer.listen({
        onPut: (thing) => void mirror.set(thing.name, thing.colour),
        onDelete: (thing) => void mirror.delete(thing.name),
      });
      informer.start(scope);
      for (const action of steps) {
        if (action.do === 'put') things.put(action.name, action.colour);
        else if (action.do === 'delete') things.delete(action.name);
        else if (action.do === 'wait') await clock.advance(seconds(1));
        else things[action.do]();
      }
      await clock.advance(minutes(3));
      const truth = [...things.things.values()].map(({ name, colour }) => `${name} ${colour}`).sort();
      assert.deepEqual(contents(informer), truth);
      assert.deepEqual([...mirror].map(([key, colour]) => `${key} ${colour}`).sort(), truth);
      const indexed = [...colours.values()].flatMap((colour) =>
        [...colours.get(colour)].map((x) => `${x.name} ${colour}`),
      );
      assert.deepEqual(indexed.sort(), truth);
      await clock.until(scope.close(seconds(1)));
    };
    await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), run), { numRuns: 40 });
  });
});
