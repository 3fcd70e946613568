// When answers in a row change the verdict.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { countAnswer, noAnswers } from './probe-count.ts';

describe('a verdict changes', () => {
  const answers = { s: 'success', f: 'failure', u: 'unknown' } as const;
  /** Answers one by one, and the verdict after each: `+`, `-`, or `.` for none yet. */
  const table: [what: string, settings: Parameters<typeof countAnswer>[2], answers: string, verdicts: string][] = [
    ['at the first success and the third failure by default', {}, 'sfffs', '+++-+'],
    ['not by failures with successes between them', { failureThreshold: 2 }, 'sfsfsff', '++++++-'],
    ['after as many successes in a row as it says', { successThreshold: 3 }, 'ssfsss', '.....+'],
    ['neither way by what could not be asked', { failureThreshold: 2, successThreshold: 2 }, 'susufuf', '..++++-'],
    ['at once where it says so', { failureThreshold: 1 }, 'fsf', '-+-'],
  ];
  for (const [what, settings, given, verdicts] of table) {
    test(what, () => {
      let count = noAnswers;
      const seen = [...given].map((letter) => {
        count = countAnswer(count, answers[letter as keyof typeof answers], settings);
        return count.verdict === undefined ? '.' : count.verdict ? '+' : '-';
      });
      assert.equal(seen.join(''), verdicts);
    });
  }
});
