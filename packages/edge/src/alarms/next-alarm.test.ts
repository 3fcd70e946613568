import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { milliseconds, seconds } from '@kedge/core/time';
import type { DeviceRule } from '@kedge/model/kubeedge';
import { type AlarmState, clear, nextAlarm, sayRaised } from './next-alarm.ts';

const rule = (more: Partial<DeviceRule> = {}): DeviceRule => ({
  name: 'too-hot',
  property: 'temperature',
  operator: '>',
  threshold: 80,
  hysteresis: 0,
  for: milliseconds(0),
  severity: 'warning',
  message: '',
  ...more,
});

/** One value a second; what each makes of the alarm. */
function run(of: DeviceRule, values: readonly string[]): string {
  let state: AlarmState = clear;
  return values
    .map((value, second) => {
      state = nextAlarm(state, of, value, { now: 1_000 + second * 1_000, monotonic: second * 1_000 });
      return { clear: '.', pending: 'p', raised: 'R' }[state.at];
    })
    .join('');
}

describe('an alarm', () => {
  const runs: [string, Partial<DeviceRule>, string[], string][] = [
    ['stands while the value is over', {}, ['80', '80.1', '90', '80', '79'], '.RR..'],
    ['at the threshold, too', { operator: '>=' }, ['79', '80', '79'], '.R.'],
    ['below', { operator: '<' }, ['81', '80', '79.9', '80'], '..R.'],
    ['below, and at it', { operator: '<=' }, ['81', '80', '81'], '.R.'],
    [
      'is over when the value has come back far enough',
      { hysteresis: 5 },
      ['81', '78', '75.1', '75', '78', '81'],
      'RRR..R',
    ],
    ['from below, likewise', { operator: '<', hysteresis: 5 }, ['79', '84', '85'], 'RR.'],
    ['waits out its time', { for: seconds(2) }, ['81', '81', '81', '81', '79', '81'], 'ppRR.p'],
    ['begins to wait again', { for: seconds(2) }, ['81', '81', '79', '81', '81', '81'], 'pp.ppR'],
    ['of a word', { operator: '==', threshold: 'open' }, ['shut', 'open', 'shut'], '.R.'],
    ['of another number', { operator: '!=', threshold: 1 }, ['1', '1.0', '2', '1'], '..R.'],
    ['does not change by what is no number', {}, ['81', 'n/a', '', '79', 'n/a'], 'RRR..'],
  ];
  for (const [what, more, values, expected] of runs) {
    test(what, () => assert.equal(run(rule(more), values), expected));
  }

  test('says what happened', () => {
    assert.equal(sayRaised(rule(), '81'), 'temperature is 81, and the rule says > 80');
    assert.equal(
      sayRaised(rule({ message: '{property}: {value} > {threshold} {x}' }), '81'),
      'temperature: 81 > 80 {x}',
    );
  });
});
