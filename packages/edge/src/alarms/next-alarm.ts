// What a value makes of an alarm: it waits out its time, stands, and is over when the value has come back far enough. Pure.
import type { DeviceRule } from '@kedge/model/kubeedge';

export type AlarmState =
  | { readonly at: 'clear' }
  /** `since`: monotonic; the rule wants it to be so for a while first. */
  | { readonly at: 'pending'; readonly since: number; readonly value: string }
  /** `since`: Unix milliseconds. */
  | { readonly at: 'raised'; readonly since: number; readonly value: string };

export interface Moment {
  /** Unix milliseconds. */
  readonly now: number;
  readonly monotonic: number;
}

export const clear: AlarmState = { at: 'clear' };

const numberOf = (text: string | number): number | undefined => {
  const number = typeof text === 'number' ? text : text.trim() === '' ? Number.NaN : Number(text);
  return Number.isFinite(number) ? number : undefined;
};

/** `slack`: so far the value may come back and still count. Undefined: the value cannot be compared. */
function holds({ operator, threshold }: DeviceRule, value: string, slack: number): boolean | undefined {
  const [a, b] = [numberOf(value), numberOf(threshold)];
  if (operator === '==' || operator === '!=') {
    const isSame = a !== undefined && b !== undefined ? a === b : value === String(threshold);
    return isSame === (operator === '==');
  }
  if (a === undefined || b === undefined) return undefined;
  switch (operator) {
    case '>':
      return a > b - slack;
    case '>=':
      return a >= b - slack;
    case '<':
      return a < b + slack;
    case '<=':
      return a <= b + slack;
  }
}

export function nextAlarm(state: AlarmState, rule: DeviceRule, value: string, { now, monotonic }: Moment): AlarmState {
  const isSo = holds(rule, value, state.at === 'raised' ? rule.hysteresis : 0);
  // What makes no sense says nothing about the device: a condition of its own tells of that.
  if (isSo === undefined) return state;
  if (!isSo) return clear;
  if (state.at === 'raised') return { ...state, value };
  if (rule.for <= 0) return { at: 'raised', since: now, value };
  const since = state.at === 'pending' ? state.since : monotonic;
  return monotonic - since >= rule.for ? { at: 'raised', since: now, value } : { at: 'pending', since, value };
}

/** When a pending one is due; undefined: nothing waits. */
export const dueAt = (state: AlarmState, rule: DeviceRule): number | undefined =>
  state.at === 'pending' ? state.since + rule.for : undefined;

export function sayRaised({ property, operator, threshold, message }: DeviceRule, value: string): string {
  const said = message === '' ? `{property} is {value}, and the rule says ${operator} {threshold}` : message;
  const words: Readonly<Record<string, string>> = {
    '{property}': property,
    '{value}': value.slice(0, 64),
    '{threshold}': String(threshold),
  };
  return said.replace(/\{(?:property|value|threshold)\}/g, (word) => words[word]!);
}

export const sayCleared = ({ name, property }: DeviceRule, value: string | undefined): string =>
  value === undefined
    ? `alarm ${name} is over: its rule is gone`
    : `alarm ${name} is over: ${property} is ${value.slice(0, 64)}`;
