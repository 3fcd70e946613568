// SQLite keeps the contract of a database, and says what is wrong with a file.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { instant } from '@kedge/core/time';
import type { OpenDatabase } from '@kedge/core/ports';
import { openDatabase, openOrSetAside } from '@kedge/platform/sqlite';
import { describeDatabase, temporaryDirectory, withCode } from '@kedge/testing/contracts';

describeDatabase('SQLite in a file', openDatabase);

const at = instant(Date.UTC(2026, 10, 23, 2, 56, 42));

async function settings(t: TestContext): Promise<OpenDatabase> {
  return {
    path: join(await temporaryDirectory(t), 'below', 'test.db'),
    migrations: [{ name: 'things', sql: 'CREATE TABLE things (name TEXT PRIMARY KEY, body TEXT)' }],
    durability: 'full',
  };
}

async function filled(options: OpenDatabase, rows = 500): Promise<void> {
  const database = openDatabase(options);
  database.writeNow(() => {
    const put = database.statement('INSERT INTO things VALUES (?, ?)');
    for (let n = 0; n < rows; n += 1) put.run(`thing-${n}`, 'x'.repeat(100));
  });
  await database.close();
}

test('only the owner may read the file', async (t) => {
  const options = await settings(t);
  await filled(options, 1);
  assert.equal(statSync(options.path).mode & 0o777, 0o600);
});

test('another process is told who has the file', async (t) => {
  const options = await settings(t);
  const database = openDatabase(options);
  t.after(() => database.close());
  const script = `
    import { openDatabase } from '@kedge/platform/sqlite';
    try { openDatabase(${JSON.stringify(options)}); } catch (error) { console.log(error.message); }`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  assert.match(child.stdout, /^\[SQLITE_LOCKED\]/, child.stderr);
  assert.match(child.stdout, new RegExp(`pid ${process.pid}\\): stop that process first`));
});

test('a killed process leaves what it had answered, and no lock', async (t) => {
  const options = await settings(t);
  const script = `
    import { openDatabase } from '@kedge/platform/sqlite';
    const database = openDatabase(${JSON.stringify(options)});
    const put = database.statement('INSERT INTO things VALUES (?, ?)');
    await database.write(() => put.run('answered', ''));
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { cwd: import.meta.dirname });
  assert.equal(child.signal, 'SIGKILL', String(child.stderr));
  const database = openDatabase(options);
  t.after(() => database.close());
  assert.equal(database.statement<{ name: string }>('SELECT name FROM things').get()?.name, 'answered');
});

test('damage anywhere in the file is found when it is opened', async (t) => {
  const options = await settings(t);
  await filled(options);
  const content = readFileSync(options.path);
  content.fill(0xff, 8_192, 16_384);
  writeFileSync(options.path, content);
  assert.throws(() => openDatabase(options), withCode('SQLITE_CORRUPT'));
});

test('a damaged file is set aside, and a new one takes its place', async (t) => {
  const options = await settings(t);
  await filled(options);
  writeFileSync(options.path, 'not a database '.repeat(100));
  const { database, setAside } = openOrSetAside(options, at);
  t.after(() => database.close());
  assert.equal(setAside, `${options.path}.corrupt-20261123T025642Z`);
  assert.match(readFileSync(setAside, 'utf8'), /^not a database/);
  assert.equal(database.statement<{ n: number }>('SELECT count(*) AS n FROM things').get()?.n, 0);
});

test('a sound file is not set aside', async (t) => {
  const options = await settings(t);
  await filled(options, 3);
  const { database, setAside } = openOrSetAside(options, at);
  t.after(() => database.close());
  assert.equal(setAside, undefined);
  assert.equal(database.statement<{ n: number }>('SELECT count(*) AS n FROM things').get()?.n, 3);
});

test('a file that is in use is never set aside', async (t) => {
  const options = await settings(t);
  const database = openDatabase(options);
  t.after(() => database.close());
  assert.throws(() => openOrSetAside(options, at), withCode('SQLITE_LOCKED'));
  assert.deepEqual(readdirSync(join(options.path, '..')).sort(), ['test.db', 'test.db-wal']);
});

test('a directory that cannot be made is said so', async (t) => {
  const directory = await temporaryDirectory(t);
  writeFileSync(join(directory, 'file'), '');
  const options = { ...(await settings(t)), path: join(directory, 'file', 'test.db') };
  assert.throws(() => openDatabase(options), withCode('SQLITE_CANNOT_OPEN'));
});

test('a full database rejects the write with the way out, and works again when there is room', async (t) => {
  const options = await settings(t);
  const database = openDatabase(options);
  t.after(() => database.close());
  // SQLite's own page limit fails just as a full disk does.
  database.statement('PRAGMA max_page_count = 8').get();
  const put = database.statement('INSERT INTO things VALUES (?, ?)');
  const results = await Promise.allSettled([
    database.write(() => put.run('small', 'x')),
    database.write(() => put.run('large', 'x'.repeat(100_000))),
  ]);
  assert.equal(results[1].status, 'rejected');
  assert.ok(withCode('SQLITE_FULL')((results[1] as PromiseRejectedResult).reason));
  database.statement('PRAGMA max_page_count = 1000').get();
  await database.write(() => put.run('large', 'x'.repeat(100_000)));
  assert.ok(database.statement('SELECT 1 FROM things WHERE name = ?').get('large'));
});

test('a database in memory leaves nothing on disk', async (t) => {
  const database = openDatabase({ ...(await settings(t)), path: ':memory:' });
  await database.write(() => database.statement('INSERT INTO things VALUES (?, ?)').run('a', ''));
  await database.close();
  assert.equal(existsSync(':memory:'), false);
});
