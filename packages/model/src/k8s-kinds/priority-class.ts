// PriorityClasses.
import { forbiddenField } from '../k8s/index.ts';
import type { PriorityClass } from '../k8s-types/index.ts';
import { checkChoice, checkImmutable } from './checks.ts';
import { createRules } from './kind-rules.ts';

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
      ...checkChoice(preemptionPolicy, ['PreemptLowerPriority', 'Never'], 'preemptionPolicy'),
    ];
  },
  validateUpdate: ({ value, preemptionPolicy }, old) => [
    ...(value === old.value ? [] : [forbiddenField('value', 'may not be changed in an update.')]),
    ...checkImmutable(preemptionPolicy, old.preemptionPolicy, 'preemptionPolicy'),
  ],
});
