// The table in docs/kubernetes-api.md and the rows that are tested are the same; write-document.ts brings it up to date.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { documentPath, withRows } from './document.ts';
import { sections } from './sections.ts';

test('docs/kubernetes-api.md shows the rows that are tested', async () => {
  const document = await readFile(documentPath, 'utf8');
  assert.equal(
    document,
    withRows(document, sections),
    'run node packages/control-plane/test/kubectl/write-document.ts',
  );
});

test('no two rows are the same', () => {
  const all = sections.flatMap(({ rows }) => rows.map(({ command, gives }) => `${command}: ${gives}`));
  assert.deepEqual(
    all.filter((row, at) => all.indexOf(row) !== at),
    [],
  );
});
