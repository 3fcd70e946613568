// docs/edged.md lists the cases: a reader sees what is proven without running anything.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { conformanceCases } from './cases.ts';

test('docs/edged.md has a row for each case, and no other', () => {
  const text = readFileSync(new URL('../../docs/edged.md', import.meta.url), 'utf8');
  const listed = text.slice(text.indexOf('## Node conformance')).match(/^- .*$/gm) ?? [];
  const cases = Object.values(conformanceCases).flat();
  const expected = cases.map(({ name, missing }) => (missing ? `- **not yet**: ${name} (${missing})` : `- ${name}`));
  assert.deepEqual(listed, expected);
});
