// What every Database must do.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { Database, OpenDatabase } from '@kedge/core/ports';
import { withCode } from './expect-error.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const migrations = [{ name: 'things', sql: 'CREATE TABLE things (name TEXT PRIMARY KEY, size, body BLOB)' }];

interface Thing {
  name: string;
  size: number | null;
}

export function describeDatabase(what: string, open: (options: OpenDatabase) => Database | Promise<Database>): void {
  const settings = (path: string): OpenDatabase => ({ path, migrations, durability: 'full' });
  async function fresh(t: TestContext): Promise<Database> {
    const database = await open(settings(join(await temporaryDirectory(t), 'test.db')));
    t.after(() => database.close());
    return database;
  }
  const put = (database: Database, name: string, size: number | null = null) =>
    database.statement('INSERT INTO things (name, size) VALUES (?, ?)').run(name, size);
  const names = (database: Database) =>
    database
      .statement<Thing>('SELECT name FROM things ORDER BY name')
      .all()
      .map(({ name }) => name);

  describe(`a database: ${what}`, () => {
    test('a resolved write is there, with its result', async (t) => {
      const database = await fresh(t);
      assert.equal(await database.write(() => put(database, 'a', 1).changes), 1);
      const row = database.statement<Thing>('SELECT name, size FROM things WHERE name = ?').get('a');
      assert.deepEqual({ ...row }, { name: 'a', size: 1 });
    });

    test('a row that is not there is undefined', async (t) => {
      const database = await fresh(t);
      assert.equal(database.statement('SELECT * FROM things WHERE name = ?').get('nobody'), undefined);
    });

    test('a throw undoes its own piece of work and no other of the same tick', async (t) => {
      const database = await fresh(t);
      const results = await Promise.allSettled([
        database.write(() => put(database, 'a')),
        database.write(() => {
          put(database, 'b');
          throw new Error('changed my mind');
        }),
        database.write(() => put(database, 'c')),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
      assert.deepEqual(names(database), ['a', 'c']);
    });

    test('a broken constraint rejects its own piece of work with a typed error', async (t) => {
      const database = await fresh(t);
      const first = database.write(() => put(database, 'a'));
      await assert.rejects(
        database.write(() => put(database, 'a')),
        withCode('SQLITE_FAILED'),
      );
      await first;
      assert.deepEqual(names(database), ['a']);
    });

    test('a defect in the work is not dressed up as a failure of the database', async (t) => {
      const database = await fresh(t);
      const nothing = undefined as unknown as { field: number };
      await assert.rejects(
        database.write(() => nothing.field),
        TypeError,
      );
    });

    test('work of one tick is done in the order it was asked for', async (t) => {
      const database = await fresh(t);
      const order: number[] = [];
      await Promise.all([1, 2, 3].map((n) => database.write(() => order.push(n))));
      assert.deepEqual(order, [1, 2, 3]);
    });

    test('more work than one transaction takes is all done', async (t) => {
      const database = await fresh(t);
      await Promise.all(Array.from({ length: 1_500 }, (_, n) => database.write(() => put(database, `thing-${n}`))));
      assert.equal(names(database).length, 1_500);
    });

    test('writeNow comes after everything that was asked for before', async (t) => {
      const database = await fresh(t);
      const before = database.write(() => put(database, 'a'));
      assert.deepEqual(
        database.writeNow(() => names(database)),
        ['a'],
      );
      await before;
    });

    test('writeNow that throws leaves nothing behind', async (t) => {
      const database = await fresh(t);
      assert.throws(
        () =>
          database.writeNow(() => {
            put(database, 'a');
            throw new Error('no');
          }),
        /no/,
      );
      assert.deepEqual(names(database), []);
      assert.equal(await database.write(() => put(database, 'b').changes), 1);
    });

    test('a write inside a write is refused', async (t) => {
      const database = await fresh(t);
      await assert.rejects(
        database.write(() => void database.writeNow(() => put(database, 'inner'))),
        /must not start another/,
      );
      assert.deepEqual(names(database), []);
    });

    test('rows can be walked one by one, and the walk can stop early', async (t) => {
      const database = await fresh(t);
      database.writeNow(() => ['a', 'b', 'c'].forEach((name) => put(database, name)));
      const seen: string[] = [];
      for (const { name } of database.statement<Thing>('SELECT name FROM things ORDER BY name').iterate()) {
        seen.push(name);
        if (name === 'b') break;
      }
      assert.deepEqual(seen, ['a', 'b']);
      await database.write(() => put(database, 'd'));
      assert.deepEqual(names(database), ['a', 'b', 'c', 'd']);
    });

    test('numbers, texts, bytes and nothing come back as they went in', async (t) => {
      const database = await fresh(t);
      const body = Uint8Array.of(0, 1, 255);
      database.writeNow(() =>
        database.statement('INSERT INTO things VALUES (?, ?, ?), (?, ?, ?)').run('ü', 2 ** 52, body, 'n', null, null),
      );
      const rows = database.statement<Thing & { body: Uint8Array | null }>('SELECT * FROM things ORDER BY size').all();
      assert.deepEqual(
        rows.map(({ name, size, body }) => [name, size, body && [...body]]),
        [
          ['n', null, null],
          ['ü', 2 ** 52, [0, 1, 255]],
        ],
      );
    });

    test('bad SQL is a typed error', async (t) => {
      const database = await fresh(t);
      assert.throws(() => database.statement('SELEKT 1'), withCode('SQLITE_FAILED'));
    });

    test('close finishes what was asked for', async (t) => {
      const path = join(await temporaryDirectory(t), 'test.db');
      const first = await open(settings(path));
      const written = first.write(() => put(first, 'a'));
      await first.close();
      await written;
      await first.close();
      const second = await open(settings(path));
      t.after(() => second.close());
      assert.deepEqual(names(second), ['a']);
    });

    test('after close everything is refused', async (t) => {
      const database = await fresh(t);
      await database.close();
      await assert.rejects(
        database.write(() => 1),
        withCode('SQLITE_CLOSED'),
      );
      assert.throws(() => database.writeNow(() => 1), withCode('SQLITE_CLOSED'));
      assert.throws(() => database.statement('SELECT 1'), withCode('SQLITE_CLOSED'));
    });

    test('a backup has everything, and the original stays in use', async (t) => {
      const directory = await temporaryDirectory(t);
      const database = await open(settings(join(directory, 'test.db')));
      t.after(() => database.close());
      await database.write(() => put(database, 'a'));
      await database.backupTo(join(directory, 'copy.db'));
      await database.write(() => put(database, 'b'));
      const copy = await open(settings(join(directory, 'copy.db')));
      t.after(() => copy.close());
      assert.deepEqual(names(copy), ['a']);
    });

    test('schema steps run once each, in order', async (t) => {
      const path = join(await temporaryDirectory(t), 'test.db');
      const first = await open(settings(path));
      first.writeNow(() => put(first, 'a'));
      await first.close();
      const more = [...migrations, { name: 'colour', sql: "ALTER TABLE things ADD COLUMN colour TEXT DEFAULT 'red'" }];
      const second = await open({ ...settings(path), migrations: more });
      t.after(() => second.close());
      assert.deepEqual({ ...second.statement('SELECT name, colour FROM things').get() }, { name: 'a', colour: 'red' });
    });

    test('a file of a newer version is left alone', async (t) => {
      const path = join(await temporaryDirectory(t), 'test.db');
      const newer = await open(settings(path));
      await newer.close();
      await assert.rejects(async () => open({ ...settings(path), migrations: [] }), withCode('SQLITE_NEWER_SCHEMA'));
    });

    test('a schema step that fails leaves the schema as it was', async (t) => {
      const path = join(await temporaryDirectory(t), 'test.db');
      const bad = [...migrations, { name: 'half', sql: 'CREATE TABLE half (a); CREATE TABEL oops' }];
      await assert.rejects(async () => open({ ...settings(path), migrations: bad }), withCode('SQLITE_FAILED'));
      const database = await open(settings(path));
      t.after(() => database.close());
      assert.deepEqual(names(database), []);
    });

    test('two users of one file are told about each other', async (t) => {
      const database = await fresh(t);
      await assert.rejects(async () => open(settings(database.path)), withCode('SQLITE_LOCKED'));
    });
  });
}
