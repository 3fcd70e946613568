// Patterns that would backtrack for years take no longer than any other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compilePattern } from '@kedge/model/k8s-schema';
import { matchPatternsInLinearTime } from '@kedge/platform/node';

test('a pattern that backtracks without end is matched in linear time', () => {
  matchPatternsInLinearTime();
  const text = `${'a'.repeat(5_000)}!`;
  for (const pattern of ['^(a+)+$', '^(a|aa)+$', '(?i)^(A|a)*$', '(.*)(.*)(.*)(.*)x', '^([a-z]+)*[0-9]$']) {
    const from = performance.now();
    assert.equal(compilePattern(pattern)!.test(text), false, pattern);
    assert.ok(performance.now() - from < 1_000, pattern);
  }
});

test('patterns are read as RE2 reads them', () => {
  for (const [pattern, text, expected] of [
    ['(?i)^web-[a-c]$', 'WEB-B', true],
    ['^[[:alpha:]]+[[:digit:]]{2}$', 'ab12', true],
    ['\\Aabc\\z', 'abc', true],
    ['^(?P<name>x)y$', 'xy', true],
    ['^\\p{L}+$', 'é', true],
    ['^\\pL+$', 'é', true],
    ['^a\\-b\\_c$', 'a-b_c', true],
    ['^.$', '\n', false],
    ['(?s)^.$', '\n', true],
  ] as const) {
    assert.equal(compilePattern(pattern)?.test(text), expected, pattern);
  }
  for (const pattern of ['(?=a)b', '(?<!a)b', '(a)\\1', 'a(', '(?>a)'])
    assert.equal(compilePattern(pattern), undefined, pattern);
});
