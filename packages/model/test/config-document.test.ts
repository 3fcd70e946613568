// docs/config.md lists the keys that the schemas have.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { renewTables } from '../../../tools/codegen/config-document.ts';

test('docs/config.md is up to date; if not, run node tools/codegen/config-document.ts', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/config.md'), 'utf8');
  assert.equal(text, renewTables(text));
});
