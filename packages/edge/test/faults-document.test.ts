// docs/edged.md says for each fault which test shows what edged does: every one of them has to be there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

test('every fault in docs/edged.md is shown by a test that exists', () => {
  const document = new URL('../../../docs/edged.md', import.meta.url);
  const text = readFileSync(document, 'utf8');
  const section = text.slice(text.indexOf('\n## Faults\n') + 1).split('\n## ')[0] ?? '';
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(1);
  assert.ok(rows.length >= 9, `${rows.length} rows`);
  for (const row of rows) {
    const proofs = [...row.matchAll(/"([^"]+)" in \[[^\]]+\]\(([^)]+)\)/g)];
    assert.ok(proofs.length > 0, row);
    for (const [, name = '', file = ''] of proofs) {
      const source = readFileSync(new URL(file, document), 'utf8');
      assert.ok(source.includes(name), `${file} has no test "${name}"`);
    }
  }
});
