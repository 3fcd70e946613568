// DaemonSets.
import { invalidField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy, RollingUpdateDaemonSet } from '../k8s-types/index.ts';
import { checkAtMost100Percent, checkChoice, checkImmutable, checkIntOrPercent, checkNonNegative } from './checks.ts';
import { isZero } from './deployment.ts';
import { createRules } from './kind-rules.ts';
import { defaultPodTemplate } from '../k8s-defaults/index.ts';
import { checkLastingWorkload } from './pod-template.ts';

export const daemonSetRules = createRules<DaemonSet>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    spec: {
      ...(spec as DaemonSetSpec),
      updateStrategy: defaultStrategy(spec?.updateStrategy ?? {}),
      revisionHistoryLimit: spec?.revisionHistoryLimit ?? 10,
      template: defaultPodTemplate(spec?.template),
    },
  }),
  validate: ({ spec }) => [
    ...checkLastingWorkload(spec!, 'DaemonSet'),
    ...checkNonNegative(spec!.minReadySeconds, 'spec.minReadySeconds'),
    ...checkStrategy(spec!.updateStrategy!),
    ...checkNonNegative(spec!.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
  ],
  validateUpdate: ({ spec }, old) => checkImmutable(spec?.selector, old.spec?.selector, 'spec.selector'),
});

function defaultStrategy(strategy: DaemonSetUpdateStrategy): DaemonSetUpdateStrategy {
  const type = strategy.type || 'RollingUpdate';
  if (type !== 'RollingUpdate') return { ...strategy, type };
  const { maxUnavailable = 1, maxSurge = 0 } = strategy.rollingUpdate ?? {};
  return { ...strategy, type, rollingUpdate: { maxUnavailable, maxSurge } };
}

function checkStrategy({ type, rollingUpdate }: DaemonSetUpdateStrategy): FieldError[] {
  const path = 'spec.updateStrategy';
  return [
    ...checkChoice(type, ['RollingUpdate', 'OnDelete'], `${path}.type`),
    ...(type === 'RollingUpdate' && rollingUpdate ? checkRolling(rollingUpdate, `${path}.rollingUpdate`) : []),
  ];
}

function checkRolling({ maxUnavailable, maxSurge }: RollingUpdateDaemonSet, path: string): FieldError[] {
  return [
    ...checkIntOrPercent(maxUnavailable, `${path}.maxUnavailable`),
    ...checkIntOrPercent(maxSurge, `${path}.maxSurge`),
    ...checkAtMost100Percent(maxUnavailable, `${path}.maxUnavailable`),
    ...checkAtMost100Percent(maxSurge, `${path}.maxSurge`),
    ...(!isZero(maxUnavailable) && !isZero(maxSurge)
      ? [invalidField(`${path}.maxSurge`, maxSurge, 'may not be set when maxUnavailable is non-zero')]
      : []),
    ...(isZero(maxUnavailable) && isZero(maxSurge)
      ? [requiredField(`${path}.maxUnavailable`, 'cannot be 0 when maxSurge is 0')]
      : []),
  ];
}
