import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkFieldSelector, escapeFieldValue, matchesFields, parseFieldSelector } from './index.ts';

const pod: Readonly<Record<string, string>> = {
  'metadata.name': 'web-0',
  'status.phase': 'Running',
  'spec.nodeName': '',
};
const fieldOf = (field: string): string => pod[field] ?? '';

describe('field selectors', () => {
  const cases: readonly [string, boolean][] = [
    ['', true],
    ['metadata.name=web-0', true],
    ['metadata.name==web-0', true],
    ['metadata.name!=web-0', false],
    ['status.phase!=Succeeded,status.phase!=Failed', true],
    ['spec.nodeName=', true],
    ['spec.nodeName!=', false],
    ['metadata.name=web-0,status.phase=Pending', false],
  ];
  for (const [text, matches] of cases) {
    it(`${text || '(empty)'} ${matches ? 'selects' : 'does not select'} the pod`, () => {
      assert.equal(matchesFields(parseFieldSelector(text), fieldOf), matches);
    });
  }

  it('reads escaped values', () => {
    const value = 'a,b=c\\d';
    assert.deepEqual(parseFieldSelector(`x=${escapeFieldValue(value)}`), [{ field: 'x', op: '=', value }]);
  });

  it('refuses what it cannot read, and says what', () => {
    assert.throws(() => parseFieldSelector('phase'), /invalid selector: 'phase'; can't understand 'phase'/);
    assert.throws(() => parseFieldSelector('a=b=c'), /unescaped character in value/);
    assert.throws(() => parseFieldSelector('a=b\\x'), /invalid escape sequence: \\x/);
  });

  it('refuses fields that the resource does not index', () => {
    const selector = parseFieldSelector('spec.foo=x');
    assert.throws(() => checkFieldSelector(selector, (field) => field in pod), /field label not supported: spec.foo/);
  });
});
