import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFilter } from './read-options.ts';

const wordsOf = (query: Record<string, string>, name = ''): readonly string[] | undefined =>
  readFilter(new URLSearchParams(query), () => () => '', name)?.words;

const rows: readonly [query: Record<string, string>, words: readonly string[]][] = [
  [{ labelSelector: 'app=web' }, ['"app"', '"web"']],
  [{ labelSelector: 'app in (a,b)' }, []],
  [{ labelSelector: 'app,tier!=x' }, ['"app"']],
  [{ fieldSelector: 'metadata.name=web' }, ['"web"']],
  [{ fieldSelector: 'spec.nodeName=edge-1' }, ['"edge-1"']],
  // A pod without a node has no word for that, and other fields may have their value from a default.
  [{ fieldSelector: 'spec.nodeName=' }, []],
  [{ fieldSelector: 'status.phase=Running,spec.nodeName!=edge-1' }, []],
  // A custom resource may have a number or a boolean there.
  [{ fieldSelector: 'spec.nodeName=5' }, []],
  [{ fieldSelector: 'spec.nodeName=true' }, []],
];

for (const [query, words] of rows) {
  test(`the text of what ${JSON.stringify(query)} selects has the words ${words.join(' ') || '(none)'}`, () => {
    assert.deepEqual(wordsOf(query), words);
  });
}

test('a request for one object looks for its name', () => {
  assert.deepEqual(wordsOf({}, 'web'), ['"web"']);
  assert.equal(wordsOf({}), undefined);
});
