// What bounds and ranks workloads: LimitRanges, ResourceQuotas, PriorityClasses.
import { forbiddenField } from '../k8s/index.ts';
import type { LimitRange, LimitRangeItem, PriorityClass, ResourceQuota } from '../k8s-types/index.ts';
import { checkOptionalChoice } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { checkAmount } from './resource-checks.ts';

export const limitRangeRules = createRules<LimitRange>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    ...(spec ? { spec: { ...spec, limits: (spec.limits ?? []).map(defaultItem) } } : {}),
  }),
  validate: ({ spec }) =>
    (spec?.limits ?? []).flatMap((item, i) =>
      (['max', 'min', 'default', 'defaultRequest'] as const).flatMap((field) =>
        Object.entries(item[field] ?? {}).flatMap(([name, text]) =>
          checkAmount(name, text, `spec.limits[${i}].${field}[${name}]`),
        ),
      ),
    ),
});

/** For containers, the most is the default limit, and the default limit or else the least is the default request. */
function defaultItem(item: LimitRangeItem): LimitRangeItem {
  if (item.type !== 'Container') return item;
  const limits = { ...item.max, ...item.default };
  return { ...item, default: limits, defaultRequest: { ...item.min, ...limits, ...item.defaultRequest } };
}

export const resourceQuotaRules = createRules<ResourceQuota>({
  validate: ({ spec }) =>
    Object.entries(spec?.hard ?? {}).flatMap(([name, text]) => checkAmount(name, text, `spec.hard[${name}]`)),
});

const maxUserPriority = 1_000_000_000;
const systemClasses: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

export const priorityClassRules = createRules<PriorityClass>({
  defaults: (priorityClass) => ({
    ...priorityClass,
    preemptionPolicy: priorityClass.preemptionPolicy ?? 'PreemptLowerPriority',
  }),
  validate: ({ metadata, value, preemptionPolicy }) => {
    const { name = '' } = metadata;
    const isSystem = systemClasses[name] === value;
    return [
      ...(name.startsWith('system-') && !isSystem
        ? [
            forbiddenField(
              'metadata.name',
              "priority class names with 'system-' prefix are reserved for system use only",
            ),
          ]
        : []),
      ...(value > maxUserPriority && !isSystem
        ? [forbiddenField('value', `maximum allowed value of a user defined priority is ${maxUserPriority}`)]
        : []),
      ...checkOptionalChoice(preemptionPolicy, ['Never', 'PreemptLowerPriority'], 'preemptionPolicy'),
    ];
  },
  validateUpdate: ({ value, preemptionPolicy }, old) => [
    ...(value === old.value ? [] : [forbiddenField('value', 'may not be changed in an update.')]),
    ...(preemptionPolicy === old.preemptionPolicy
      ? []
      : [forbiddenField('preemptionPolicy', 'may not be changed in an update.')]),
  ],
});
