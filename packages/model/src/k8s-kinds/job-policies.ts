// Which failures of pods a Job forgives or ends with, and when it has succeeded before all its pods have.
import {
  checkQualifiedName,
  duplicateField,
  invalidField,
  invalidItem,
  requiredField,
  tooLongField,
  tooManyItems,
  unsupportedField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { JobSpec, PodFailurePolicyRule, SuccessPolicyRule } from '../k8s-types/index.ts';
import { checkNonNegative } from './checks.ts';

const maxRules = 20;
const maxExitCodes = 255;
const maxIndexesText = 64 * 1024;

const quoted = (choices: readonly string[]): string => `[${choices.map((choice) => `"${choice}"`).join(' ')}]`;

/** Nothing given is told apart from something unknown. */
function checkStated(value: string | undefined, choices: readonly string[], path: string): FieldError[] {
  if (!value) return [requiredField(path, `valid values: ${quoted(choices)}`)];
  return choices.includes(value) ? [] : [unsupportedField(path, value, choices)];
}

export function checkFailurePolicy(spec: JobSpec, path: string): FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const { containers = [], initContainers = [] } = spec.template.spec ?? {};
  const names = [...containers, ...initContainers].map(({ name }) => name);
  return [
    ...(rules.length > maxRules ? [tooManyItems(`${path}.rules`, rules.length, maxRules)] : []),
    ...rules.flatMap((rule, at) => checkRule(rule, spec, names, `${path}.rules[${at}]`)),
  ];
}

function checkRule(
  { action, onExitCodes, onPodConditions = [] }: PodFailurePolicyRule,
  spec: JobSpec,
  containers: readonly string[],
  path: string,
): FieldError[] {
  const isPerIndex = action === 'FailIndex' && spec.backoffLimitPerIndex === undefined;
  return [
    ...(isPerIndex
      ? [invalidField(`${path}.action`, action, 'requires the backoffLimitPerIndex to be set')]
      : checkStated(action, ['Count', 'FailIndex', 'FailJob', 'Ignore'], `${path}.action`)),
    ...(onExitCodes ? checkExitCodes(onExitCodes, containers, `${path}.onExitCodes`) : []),
    ...(onPodConditions.length > maxRules
      ? [tooManyItems(`${path}.onPodConditions`, onPodConditions.length, maxRules)]
      : []),
    ...onPodConditions.flatMap(({ type = '', status }, at) => [
      ...checkQualifiedName(type).map((sentence) =>
        invalidField(`${path}.onPodConditions[${at}].type`, type, sentence),
      ),
      ...checkStated(status, ['False', 'True', 'Unknown'], `${path}.onPodConditions[${at}].status`),
    ]),
    ...(onExitCodes && onPodConditions.length > 0
      ? [invalidItem(path, 'specifying both OnExitCodes and OnPodConditions is not supported')]
      : []),
    ...(!onExitCodes && onPodConditions.length === 0
      ? [invalidItem(path, 'specifying one of OnExitCodes and OnPodConditions is required')]
      : []),
  ];
}

function checkExitCodes(
  { operator, containerName, values = [] }: NonNullable<PodFailurePolicyRule['onExitCodes']>,
  containers: readonly string[],
  path: string,
): FieldError[] {
  return [
    ...checkStated(operator, ['In', 'NotIn'], `${path}.operator`),
    ...(containerName !== undefined && !containers.includes(containerName)
      ? [
          invalidField(
            `${path}.containerName`,
            containerName,
            'must be one of the container or initContainer names in the pod template',
          ),
        ]
      : []),
    ...(values.length === 0 ? [invalidField(`${path}.values`, values, 'at least one value is required')] : []),
    ...(values.length > maxExitCodes ? [tooManyItems(`${path}.values`, values.length, maxExitCodes)] : []),
    ...values.flatMap((value, at) => [
      ...(operator === 'In' && value === 0
        ? [invalidField(`${path}.values[${at}]`, value, 'must not be 0 for the In operator')]
        : []),
      ...(values.indexOf(value) < at ? [duplicateField(`${path}.values[${at}]`, value)] : []),
    ]),
    ...(values.some((value, at) => at > 0 && values[at - 1]! > value)
      ? [invalidField(`${path}.values`, values, 'must be ordered')]
      : []),
  ];
}

export function checkSuccessPolicy(spec: JobSpec, path: string): FieldError[] {
  if (spec.completionMode !== 'Indexed')
    return [invalidField(path, spec.successPolicy, 'requires indexed completion mode')];
  const rules = spec.successPolicy?.rules ?? [];
  return [
    ...(rules.length === 0
      ? [requiredField(`${path}.rules`, 'at least one rules must be specified when the successPolicy is specified')]
      : []),
    ...(rules.length > maxRules ? [tooManyItems(`${path}.rules`, rules.length, maxRules)] : []),
    ...rules.flatMap((rule, at) => checkSuccessRule(rule, spec.completions ?? 0, `${path}.rules[${at}]`)),
  ];
}

function checkSuccessRule(
  { succeededCount: count, succeededIndexes: indexes }: SuccessPolicyRule,
  completions: number,
  path: string,
): FieldError[] {
  const total = indexes === undefined ? 0 : countIndexes(indexes, completions);
  const most = (limit: number, what: string): FieldError[] =>
    count !== undefined && count > limit
      ? [
          invalidField(
            `${path}.succeededCount`,
            count,
            `must be less than or equal to ${limit} (the number of ${what})`,
          ),
        ]
      : [];
  return [
    ...(count === undefined && indexes === undefined
      ? [requiredField(path, 'at least one of succeededCount or succeededIndexes must be specified')]
      : []),
    ...((indexes ?? '').length > maxIndexesText ? [tooLongField(`${path}.succeededIndexes`, maxIndexesText)] : []),
    ...(typeof total === 'string'
      ? [invalidField(`${path}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${total}`)]
      : []),
    ...checkNonNegative(count, `${path}.succeededCount`),
    ...most(completions, 'specified completions'),
    ...(indexes === undefined
      ? []
      : most(typeof total === 'number' ? total : 0, 'indexes in the specified succeededIndexes field')),
  ];
}

/** How many indexes `1,3-5` names, or what is wrong with it. */
function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0;
  let total = 0;
  let last = -1;
  for (const part of text.split(',')) {
    const ends = part.split('-');
    if (ends.length > 2)
      return `the fragment "${part}" violates the requirement that an index interval can have at most two parts separated by '-'`;
    const wrong = ends.find((end) => !/^\d+$/.test(end));
    if (wrong !== undefined) return `cannot convert string to integer for index: "${wrong}"`;
    const [first, end = first!] = ends.map(Number) as [number, number?];
    const tooLarge = ends.find((one) => Number(one) >= completions);
    if (tooLarge !== undefined) return `too large index: "${tooLarge}"`;
    if (end < first!) return `non-increasing order, previous: ${first}, current: ${end}`;
    if (last >= first!) return `non-increasing order, previous: ${last}, current: ${first}`;
    total += end - first! + 1;
    last = end;
  }
  return total;
}
