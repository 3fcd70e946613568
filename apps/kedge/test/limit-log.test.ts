// The log of a process that goes on writing while it is cut.
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { limitLog } from '../src/site/limit-log.ts';

test('a log that grew too large is set aside, and its writer goes on at the beginning', (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'kedge-log-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const path = join(directory, 'cloudcore.log');
  limitLog(path, 10);
  const writer = openSync(path, 'a');
  t.after(() => closeSync(writer));
  writeSync(writer, 'short\n');
  limitLog(path, 10);
  assert.equal(readFileSync(path, 'utf8'), 'short\n');
  writeSync(writer, 'and longer\n');
  limitLog(path, 10);
  writeSync(writer, 'new\n');
  assert.equal(readFileSync(path, 'utf8'), 'new\n');
  assert.equal(readFileSync(`${path}.1`, 'utf8'), 'short\nand longer\n');
});
