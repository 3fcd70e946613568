import assert from 'node:assert/strict';
import { closeSync, openSync, writeSync } from 'node:fs';
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
