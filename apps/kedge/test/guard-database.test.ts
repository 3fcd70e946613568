import assert from 'node:assert/strict';
import { closeSync, fstatSync, openSync, writeSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { FakeClock } from '@kedge/core/testing';
import { minutes, seconds } from '@kedge/core/time';
import { openDatabase } from '@kedge/platform/sqlite';
import { guardDatabase } from '../src/guard-database.ts';
import { lookAtDatabase } from '../src/look-at-database.ts';

test('damage of a database in use is noticed, once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-guard-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'edge.db');
  const migrations = [{ name: 'first', sql: 'CREATE TABLE thing (name TEXT PRIMARY KEY, body TEXT)' }];
  const opened = openDatabase({ path, migrations, durability: 'normal', cacheKiB: 4_096 });
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  let damages = 0;
  const { database, guard } = guardDatabase(opened, { clock, log: silentLog, onDamage: () => (damages += 1) });
  const scope = openScope({ clock, name: 'guard' });
  await guard.start(scope);
  const insert = database.statement('INSERT INTO thing VALUES (?, ?)');
  for (let n = 0; n < 2_000; n++) database.writeNow(() => insert.run(`thing ${n}`, 'x'.repeat(500)));
  database.statement('PRAGMA wal_checkpoint(TRUNCATE)').all();
  await clock.advance(minutes(61));
  assert.equal(damages, 0, 'a healthy file is none');

  const file = openSync(path, 'r+');
  for (let page = 20; page < 200; page++) writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, page * 4_096);
  closeSync(file);
  await clock.advance(minutes(61));
  assert.equal(damages, 1);
  assert.throws(
    () => database.statement('SELECT sum(length(body)) FROM thing').all(),
    /DATABASE_CORRUPT|damaged|malformed/,
  );
  assert.equal(damages, 1);
  assert.deepEqual(await clock.until(scope.close(seconds(1))), []);
  await database.close();
});

test('a large database is looked at in pieces, and damage in any of them is found', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'kedge-guard-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'edge.db');
  const sql = `CREATE TABLE small (name TEXT PRIMARY KEY); CREATE TABLE "odd ""name" (body TEXT NOT NULL);
    CREATE TABLE large (series INTEGER, at INTEGER, body TEXT, PRIMARY KEY (series, at)) WITHOUT ROWID;`;
  const database = openDatabase({ path, migrations: [{ name: 'first', sql }], durability: 'normal', cacheKiB: 256 });
  t.after(() => database.close());
  database.writeNow(() => {
    const insert = database.statement('INSERT INTO large VALUES (?, ?, ?)');
    for (let n = 0; n < 30_000; n++) insert.run(n % 7, n, 'x'.repeat(50));
    const odd = database.statement('INSERT INTO "odd ""name" VALUES (?)');
    for (let n = 0; n < 6_000; n++) odd.run(`${n}`);
  });
  database.statement('PRAGMA wal_checkpoint(TRUNCATE)').all();
  const clock = new FakeClock({ settle: () => new Promise((resolve) => setImmediate(resolve)) });
  const look = () => clock.until(lookAtDatabase(database, clock, new AbortController().signal));
  assert.equal(await look(), undefined);
  const pieces = clock.now();
  assert.ok(pieces >= 10 * 20, `${pieces} ms of pauses`);
  await assert.rejects(lookAtDatabase(database, clock, AbortSignal.abort(new Error('enough'))), /enough/);

  const file = openSync(path, 'r+');
  const { size } = fstatSync(file);
  writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, (Math.floor(size / 4_096) - 60) * 4_096);
  closeSync(file);
  await assert.rejects(look(), /DATABASE_CORRUPT|damaged|malformed/);
});
