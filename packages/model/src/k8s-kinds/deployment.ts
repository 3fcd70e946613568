// Deployments.
import { forbiddenField, invalidField, percentOf } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import type { Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment } from '../k8s-types/index.ts';
import { checkAtMost100Percent, checkChoice, checkImmutable, checkIntOrPercent, checkNonNegative } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { defaultPodTemplate } from '../k8s-defaults/index.ts';
import { checkLastingWorkload } from './pod-template.ts';

export const deploymentRules = createRules<Deployment>({
  defaults: (deployment) => ({ ...deployment, spec: defaultSpec(deployment.spec) }),
  validate: ({ spec }) => checkSpec(spec!),
  validateUpdate: ({ spec }, old) => checkImmutable(spec?.selector, old.spec?.selector, 'spec.selector'),
});

const defaultSpec = (spec: DeploymentSpec | undefined): DeploymentSpec => ({
  ...(spec as DeploymentSpec),
  replicas: spec?.replicas ?? 1,
  strategy: defaultStrategy(spec?.strategy ?? {}),
  revisionHistoryLimit: spec?.revisionHistoryLimit ?? 10,
  progressDeadlineSeconds: spec?.progressDeadlineSeconds ?? 600,
  template: defaultPodTemplate(spec?.template),
});

function defaultStrategy(strategy: DeploymentStrategy): DeploymentStrategy {
  const type = strategy.type || 'RollingUpdate';
  if (type !== 'RollingUpdate') return { ...strategy, type };
  const { maxUnavailable = '25%', maxSurge = '25%' } = strategy.rollingUpdate ?? {};
  return { ...strategy, type, rollingUpdate: { maxUnavailable, maxSurge } };
}

function checkSpec(spec: DeploymentSpec): FieldError[] {
  const { progressDeadlineSeconds: deadline, minReadySeconds = 0 } = spec;
  return [
    ...checkNonNegative(spec.replicas, 'spec.replicas'),
    ...checkLastingWorkload(spec, 'Deployment'),
    ...checkStrategy(spec.strategy!),
    ...checkNonNegative(minReadySeconds, 'spec.minReadySeconds'),
    ...checkNonNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...checkNonNegative(deadline, 'spec.progressDeadlineSeconds'),
    ...(deadline !== undefined && deadline <= minReadySeconds
      ? [invalidField('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds')]
      : []),
  ];
}

function checkStrategy({ type, rollingUpdate }: DeploymentStrategy): FieldError[] {
  const path = 'spec.strategy';
  if (type === 'Recreate' && rollingUpdate) {
    return [forbiddenField(`${path}.rollingUpdate`, "may not be specified when strategy `type` is 'Recreate'")];
  }
  return [
    ...checkChoice(type, ['Recreate', 'RollingUpdate'], `${path}.type`),
    ...(rollingUpdate ? checkRolling(rollingUpdate, `${path}.rollingUpdate`) : []),
  ];
}

export const isZero = (value: number | string | undefined): boolean =>
  value === undefined || (typeof value === 'number' ? value : percentOf(value)) === 0;

function checkRolling({ maxUnavailable, maxSurge }: RollingUpdateDeployment, path: string): FieldError[] {
  return [
    ...checkIntOrPercent(maxUnavailable, `${path}.maxUnavailable`),
    ...checkIntOrPercent(maxSurge, `${path}.maxSurge`),
    ...(isZero(maxUnavailable) && isZero(maxSurge)
      ? [invalidField(`${path}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0')]
      : []),
    ...checkAtMost100Percent(maxUnavailable, `${path}.maxUnavailable`),
  ];
}
