// Checks of what decides where pods run: taints, tolerations, affinity, topology.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelValue,
  checkQualifiedName,
  duplicateField,
  forbiddenField,
  invalidField,
  requiredField,
  unsupportedField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { checkLabelSelector, parseInteger } from '../k8s-selectors/index.ts';
import type {
  Affinity,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  Taint,
  Toleration,
  TopologySpreadConstraint,
} from '../k8s-types/index.ts';
import { checkChoice, checkOptionalChoice, checkText, repeated } from './checks.ts';

const effects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function checkTolerations(tolerations: readonly Toleration[], path: string): FieldError[] {
  return tolerations.flatMap((toleration, at) => checkToleration(toleration, `${path}[${at}]`));
}

function checkToleration({ key, operator, value, effect, tolerationSeconds }: Toleration, path: string): FieldError[] {
  return [
    ...checkText(key, checkQualifiedName, `${path}.key`),
    ...(!key && operator !== 'Exists'
      ? [
          invalidField(
            `${path}.operator`,
            operator ?? '',
            'operator must be Exists when `key` is empty, which means "match all values and all keys"',
          ),
        ]
      : []),
    ...(tolerationSeconds !== undefined && effect !== 'NoExecute'
      ? [invalidField(`${path}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set")]
      : []),
    ...(operator === 'Exists' && value
      ? [invalidField(`${path}.operator`, value, "value must be empty when `operator` is 'Exists'")]
      : []),
    ...(operator === 'Exists' ? [] : checkText(value, checkLabelValue, `${path}.operator`)),
    ...checkOptionalChoice(operator, ['Equal', 'Exists'], `${path}.operator`),
    ...checkOptionalChoice(effect, effects, `${path}.effect`),
  ];
}

export function checkTaints(taints: readonly Taint[], path: string): FieldError[] {
  return [
    ...taints.flatMap(({ key, value, effect }, at) => [
      ...checkQualifiedName(key ?? '').map((sentence) => invalidField(`${path}[${at}].key`, key ?? '', sentence)),
      ...checkText(value, checkLabelValue, `${path}[${at}].value`),
      ...checkChoice(effect, effects, `${path}[${at}].effect`),
    ]),
    ...repeated(taints, ({ key, effect }) => `${key}:${effect}`).map((at) =>
      duplicateField(`${path}[${at}]`, taints[at], 'taints must be unique by key and effect pair'),
    ),
  ];
}

export function checkAffinity(affinity: Affinity | undefined, path: string): FieldError[] {
  const { nodeAffinity, podAffinity, podAntiAffinity } = affinity ?? {};
  const required = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const at = `${path}.nodeAffinity`;
  const termsPath = `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
  return [
    ...(required && !required.nodeSelectorTerms?.length
      ? [requiredField(termsPath, 'must have at least one node selector term')]
      : []),
    ...(required?.nodeSelectorTerms ?? []).flatMap((term, i) => checkNodeTerm(term, `${termsPath}[${i}]`)),
    ...(nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap((preferred, i) => {
      const here = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
      return [...checkWeight(preferred.weight, here), ...checkNodeTerm(preferred.preference, `${here}.preference`)];
    }),
    ...checkPodAffinity(podAffinity, `${path}.podAffinity`),
    ...checkPodAffinity(podAntiAffinity, `${path}.podAntiAffinity`),
  ];
}

const checkWeight = (weight = 0, path: string): FieldError[] =>
  weight >= 1 && weight <= 100 ? [] : [invalidField(`${path}.weight`, weight, 'must be in the range 1-100')];

export const checkNodeTerm = (term: NodeSelectorTerm | undefined, path: string): FieldError[] => [
  ...(term?.matchExpressions ?? []).flatMap((requirement, i) =>
    checkNodeRequirement(requirement, `${path}.matchExpressions[${i}]`),
  ),
  ...(term?.matchFields ?? []).flatMap((requirement, i) => checkNodeField(requirement, `${path}.matchFields[${i}]`)),
];

function checkNodeField({ key = '', operator = '', values = [] }: NodeSelectorRequirement, path: string): FieldError[] {
  return [
    ...(operator === 'In' || operator === 'NotIn'
      ? values.length === 1
        ? []
        : [
            requiredField(
              `${path}.values`,
              "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
            ),
          ]
      : [invalidField(`${path}.operator`, operator, 'not a valid selector operator')]),
    ...(key === 'metadata.name'
      ? values.flatMap((value, at) =>
          checkDns1123Subdomain(value).map((sentence) => invalidField(`${path}.values[${at}]`, value, sentence)),
        )
      : [invalidField(`${path}.key`, key, 'not a valid field selector key')]),
  ];
}

function checkNodeRequirement(
  { key = '', operator = '', values = [] }: NodeSelectorRequirement,
  path: string,
): FieldError[] {
  return [
    ...checkNodeOperator(operator, values, path),
    ...checkQualifiedName(key).map((sentence) => invalidField(`${path}.key`, key, sentence)),
  ];
}

function checkNodeOperator(operator: string, values: readonly string[], path: string): FieldError[] {
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0
        ? []
        : [requiredField(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'")];
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0
        ? []
        : [forbiddenField(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")];
    case 'Gt':
    case 'Lt':
      return values.length === 1 && parseInteger(values[0]) !== undefined
        ? []
        : [requiredField(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")];
    default:
      return [invalidField(`${path}.operator`, operator, 'not a valid selector operator')];
  }
}

function checkPodAffinity(affinity: PodAffinity | undefined, path: string): FieldError[] {
  return [
    ...(affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).flatMap((term, i) =>
      checkPodTerm(term, `${path}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`),
    ),
    ...(affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap((preferred, i) => {
      const here = `${path}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
      return [
        ...checkWeight(preferred.weight, here),
        ...checkPodTerm(preferred.podAffinityTerm, `${here}.podAffinityTerm`),
      ];
    }),
  ];
}

const checkPodTerm = (term: PodAffinityTerm | undefined, path: string): FieldError[] => [
  ...checkLabelSelector(term?.labelSelector, `${path}.labelSelector`),
  ...checkLabelSelector(term?.namespaceSelector, `${path}.namespaceSelector`),
  ...(term?.namespaces ?? []).flatMap((name) =>
    checkDns1123Label(name).map((sentence) => invalidField(`${path}.namespace`, name, sentence)),
  ),
  ...(['matchLabelKeys', 'mismatchLabelKeys'] as const).flatMap((field) =>
    checkLabelKeys(term?.[field] ?? [], term?.labelSelector !== undefined, `${path}.${field}`),
  ),
  ...(term?.topologyKey ? [] : [requiredField(`${path}.topologyKey`, 'can not be empty')]),
  ...checkQualifiedName(term?.topologyKey ?? '').map((sentence) =>
    invalidField(`${path}.topologyKey`, term?.topologyKey ?? '', sentence),
  ),
];

function checkLabelKeys(keys: readonly string[], hasSelector: boolean, path: string): FieldError[] {
  if (keys.length === 0) return [];
  return hasSelector
    ? keys.flatMap((key, at) =>
        checkQualifiedName(key).map((sentence) => invalidField(`${path}[${at}]`, key, sentence)),
      )
    : [forbiddenField(path, 'must not be specified when labelSelector is not set')];
}

const unsatisfiable = ['DoNotSchedule', 'ScheduleAnyway'];

export function checkTopologySpread(constraints: readonly TopologySpreadConstraint[], path: string): FieldError[] {
  return [
    ...constraints.flatMap((constraint, i) => [
      ...(constraint.maxSkew > 0
        ? []
        : [invalidField(`${path}[${i}].maxSkew`, constraint.maxSkew ?? 0, 'must be greater than zero')]),
      ...(constraint.topologyKey ? [] : [requiredField(`${path}[${i}].topologyKey`, 'can not be empty')]),
      ...(unsatisfiable.includes(constraint.whenUnsatisfiable ?? '')
        ? []
        : [unsupportedField(`${path}[${i}].whenUnsatisfiable`, constraint.whenUnsatisfiable ?? '', unsatisfiable)]),
      ...checkDomains(constraint, `${path}[${i}].minDomains`),
      ...(['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const).flatMap((field) =>
        constraint[field] === undefined || inclusions.includes(constraint[field])
          ? []
          : [unsupportedField(`${path}[${i}].${field}`, constraint[field], inclusions)],
      ),
      ...checkLabelKeys(
        constraint.matchLabelKeys ?? [],
        constraint.labelSelector !== undefined,
        `${path}[${i}].matchLabelKeys`,
      ),
      ...checkLabelSelector(constraint.labelSelector, `${path}[${i}].labelSelector`),
    ]),
    ...repeated(constraints, ({ topologyKey, whenUnsatisfiable }) => `{${topologyKey}, ${whenUnsatisfiable}}`).map(
      (i) =>
        duplicateField(
          `${path}[${i}].{topologyKey, whenUnsatisfiable}`,
          `{${constraints[i]!.topologyKey}, ${constraints[i]!.whenUnsatisfiable}}`,
        ),
    ),
  ];
}

const inclusions = ['Honor', 'Ignore'];

function checkDomains({ minDomains, whenUnsatisfiable }: TopologySpreadConstraint, path: string): FieldError[] {
  if (minDomains === undefined) return [];
  return [
    ...(minDomains > 0 ? [] : [invalidField(path, minDomains, 'must be greater than 0')]),
    ...(whenUnsatisfiable === 'DoNotSchedule'
      ? []
      : [
          invalidField(
            path,
            minDomains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable ?? ''}`,
          ),
        ]),
  ];
}
