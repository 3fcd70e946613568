// PodDisruptionBudgets and ReplicationControllers.
import { invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import { checkLabelSelector } from '../k8s-selectors/index.ts';
import type { PodDisruptionBudget, ReplicationController } from '../k8s-types/index.ts';
import { checkIntOrPercent, checkNonNegative } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { defaultPodTemplate } from '../k8s-defaults/index.ts';
import { checkPodTemplate } from './pod-template.ts';

export const podDisruptionBudgetRules = createRules<PodDisruptionBudget>({
  validate: ({ spec }) => [
    ...(spec?.minAvailable !== undefined && spec.maxUnavailable !== undefined
      ? [invalidField('spec', spec, 'minAvailable and maxUnavailable cannot be both set')]
      : []),
    ...checkIntOrPercent(spec?.minAvailable, 'spec.minAvailable'),
    ...checkIntOrPercent(spec?.maxUnavailable, 'spec.maxUnavailable'),
    ...checkLabelSelector(spec?.selector, 'spec.selector'),
    ...(spec?.unhealthyPodEvictionPolicy === undefined ||
    ['AlwaysAllow', 'IfHealthyBudget'].includes(spec.unhealthyPodEvictionPolicy)
      ? []
      : [
          unsupportedField('spec.unhealthyPodEvictionPolicy', spec.unhealthyPodEvictionPolicy, [
            'AlwaysAllow',
            'IfHealthyBudget',
          ]),
        ]),
  ],
});

export const replicationControllerRules = createRules<ReplicationController>({
  defaults: ({ spec, ...rest }) => {
    const template = defaultPodTemplate(spec?.template);
    const { labels } = template.metadata ?? {};
    const selector = Object.keys(spec?.selector ?? {}).length > 0 ? spec?.selector : labels;
    return { ...rest, spec: { ...spec, replicas: spec?.replicas ?? 1, ...(selector ? { selector } : {}), template } };
  },
  validate: ({ spec }) => [
    ...checkNonNegative(spec!.minReadySeconds, 'spec.minReadySeconds'),
    ...checkNonNegative(spec!.replicas, 'spec.replicas'),
    ...(Object.keys(spec!.selector ?? {}).length > 0 ? [] : [requiredField('spec.selector')]),
    ...(selects(spec!.selector ?? {}, spec!.template!.metadata?.labels ?? {})
      ? []
      : [
          invalidField(
            'spec.template.metadata.labels',
            spec!.template!.metadata?.labels ?? {},
            '`selector` does not match template `labels`',
          ),
        ]),
    ...checkPodTemplate(spec!.template!, 'spec.template'),
  ],
});

const selects = (selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(selector).every(([key, value]) => jsonEqual(labels[key], value));
