// Threshold rules of a DeviceModel: an annotation with a JSON list, read the same way by the webhook that refuses a bad one
// and by the edge that evaluates it. Pure.
import { type Duration, hours, milliseconds, parseDuration } from '@kedge/core/time';
import type { DeviceModel } from './devices.ts';

export const deviceRulesAnnotation = 'devices.kedge.io/rules';

export const ruleOperators = ['>', '>=', '<', '<=', '==', '!='] as const;
export type RuleOperator = (typeof ruleOperators)[number];
export const ruleSeverities = ['info', 'warning', 'critical'] as const;
export type RuleSeverity = (typeof ruleSeverities)[number];

export interface DeviceRule {
  /** Unique in its model; alarms are known by it. */
  readonly name: string;
  readonly property: string;
  readonly operator: RuleOperator;
  /** Of `==` and `!=` it may be a text: numbers are compared as numbers where both sides are. */
  readonly threshold: number | string;
  /** How far the value has to come back before the alarm is over. */
  readonly hysteresis: number;
  /** How long it has to be so before there is an alarm. */
  readonly for: Duration;
  readonly severity: RuleSeverity;
  /** `{value}`, `{threshold}` and `{property}` are filled in. */
  readonly message: string;
}

export interface RuleProblem {
  readonly path: string;
  readonly say: string;
}

const mostRules = 100;
const longestAnnotation = 64 << 10;
const longestFor = hours(24);
const longestMessage = 256;
const nameRule = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const known = new Set(['name', 'property', 'operator', 'threshold', 'hysteresis', 'for', 'severity', 'message']);
const numeric: ReadonlySet<string> = new Set(['INT', 'FLOAT', 'DOUBLE']);

type Fields = Readonly<Record<string, unknown>>;
const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const listed = (words: readonly string[]): string => words.map((word) => `"${word}"`).join(', ');

/** The rules that make sense, and what is wrong with the others. */
export function readDeviceRules(model: DeviceModel): {
  readonly rules: DeviceRule[];
  readonly problems: RuleProblem[];
} {
  const text = model.metadata.annotations?.[deviceRulesAnnotation];
  const problems: RuleProblem[] = [];
  const rules: DeviceRule[] = [];
  const root = `metadata.annotations["${deviceRulesAnnotation}"]`;
  const complain = (at: string, say: string): void => void problems.push({ path: `${root}${at}`, say });
  if (text === undefined) return { rules, problems };
  const list = parseList(text);
  if (typeof list === 'string') {
    complain('', list);
    return { rules, problems };
  }
  const names = new Set<string>();
  for (const [n, entry] of list.entries()) {
    const before = problems.length;
    const rule = readRule(entry, model, (field, say) => complain(field === '' ? `[${n}]` : `[${n}].${field}`, say));
    if (rule && names.has(rule.name))
      complain(`[${n}].name`, `is "${rule.name}", which another rule has: give each its own`);
    if (!rule || problems.length > before) continue;
    names.add(rule.name);
    rules.push(rule);
  }
  return { rules, problems };
}

function parseList(text: string): readonly unknown[] | string {
  if (text.length > longestAnnotation)
    return `has ${text.length} characters, over ${longestAnnotation}: use fewer rules`;
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    return `is not JSON (${error instanceof Error ? error.message : 'unreadable'}): write a list such as [{"name":"too-hot","property":"temperature","operator":">","threshold":80}]`;
  }
  if (!Array.isArray(list)) return 'is not a list: put the rules in [ and ]';
  return list.length > mostRules ? `has ${list.length} rules, over ${mostRules}` : list;
}

function readRule(
  entry: unknown,
  model: DeviceModel,
  complain: (field: string, say: string) => void,
): DeviceRule | undefined {
  if (!isFields(entry)) {
    complain('', 'is not an object with name, property, operator and threshold');
    return undefined;
  }
  for (const key of Object.keys(entry)) {
    if (!known.has(key)) complain(key, `is not known: a rule has ${[...known].join(', ')}`);
  }
  const { name, property, operator, threshold, hysteresis = 0, severity = 'warning', message = '' } = entry;
  if (typeof name !== 'string' || !nameRule.test(name)) {
    complain('name', 'needs 1 to 63 lower-case letters, digits and dashes, such as "too-hot"');
  }
  const described = model.spec?.properties?.find((one) => one.name === property);
  if (!described) {
    const there = (model.spec?.properties ?? []).map((one) => one.name ?? '');
    complain('property', `is ${JSON.stringify(property) ?? 'missing'}, needs one of the model's: ${listed(there)}`);
  }
  const isOperator = ruleOperators.includes(operator as RuleOperator);
  if (!isOperator)
    complain('operator', `is ${JSON.stringify(operator) ?? 'missing'}, needs one of ${listed(ruleOperators)}`);
  const ordered = isOperator && operator !== '==' && operator !== '!=';
  const isNumber = typeof threshold === 'number' && Number.isFinite(threshold);
  if (ordered && !isNumber) complain('threshold', 'needs a number');
  if (isOperator && !ordered && !isNumber && typeof threshold !== 'string' && typeof threshold !== 'boolean') {
    complain('threshold', 'needs a number, a text, true or false');
  }
  if (ordered && described && !numeric.has(described.type ?? '')) {
    complain(
      'operator',
      `is "${String(operator)}", but ${described.name ?? ''} is no number (${described.type ?? 'no type'}): use == or !=`,
    );
  }
  if (typeof hysteresis !== 'number' || !(hysteresis >= 0))
    complain('hysteresis', 'needs a number that is not negative');
  else if (hysteresis > 0 && isOperator && !ordered)
    complain('hysteresis', 'is of use with >, >=, < and <= only: leave it out');
  const wait =
    entry['for'] === undefined
      ? milliseconds(0)
      : typeof entry['for'] === 'string'
        ? parseDuration(entry['for'])
        : undefined;
  if (wait === undefined || wait < 0 || wait > longestFor) {
    complain('for', `is ${JSON.stringify(entry['for'])}, needs a duration such as "30s", at most 24h`);
  }
  if (!ruleSeverities.includes(severity as RuleSeverity))
    complain('severity', `needs one of ${listed(ruleSeverities)}`);
  if (typeof message !== 'string' || message.length > longestMessage) {
    complain('message', `needs a text of at most ${longestMessage} characters`);
  }
  return {
    name: String(name),
    property: String(property),
    operator: operator as RuleOperator,
    threshold: typeof threshold === 'number' ? threshold : String(threshold),
    hysteresis: Number(hysteresis),
    for: wait ?? milliseconds(0),
    severity: severity as RuleSeverity,
    message: String(message),
  };
}
