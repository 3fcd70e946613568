// HorizontalPodAutoscalers (both versions), PodDisruptionBudgets and ReplicationControllers.
import { invalidField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import { checkLabelSelector } from '../k8s-selectors/index.ts';
import type {
  AutoscalingV1HorizontalPodAutoscaler,
  HorizontalPodAutoscaler,
  MetricSpec,
  PodDisruptionBudget,
  ReplicationController,
} from '../k8s-types/index.ts';
import { checkIntOrPercent, checkNonNegative } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { defaultPodTemplate } from './pod-defaults.ts';
import { checkPodTemplate } from './pod-template.ts';

interface Bounds {
  readonly minReplicas?: number;
  readonly maxReplicas: number;
  readonly scaleTargetRef: { readonly kind: string; readonly name: string };
}

function checkBounds(spec: Bounds | undefined): FieldError[] {
  const { minReplicas = 1, maxReplicas = 0, scaleTargetRef: target } = spec ?? {};
  return [
    ...(minReplicas < 1 ? [invalidField('spec.minReplicas', minReplicas, 'must be greater than or equal to 1')] : []),
    ...(maxReplicas < 1 ? [invalidField('spec.maxReplicas', maxReplicas, 'must be greater than 0')] : []),
    ...(maxReplicas < minReplicas
      ? [invalidField('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`')]
      : []),
    ...(target?.kind ? [] : [requiredField('spec.scaleTargetRef.kind')]),
    ...(target?.name ? [] : [requiredField('spec.scaleTargetRef.name')]),
  ];
}

const cpuAt80Percent: MetricSpec = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
};

export const horizontalPodAutoscalerRules = createRules<HorizontalPodAutoscaler>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    ...(spec
      ? {
          spec: {
            ...spec,
            minReplicas: spec.minReplicas ?? 1,
            metrics: spec.metrics?.length ? spec.metrics : [cpuAt80Percent],
          },
        }
      : {}),
  }),
  validate: ({ spec }) => checkBounds(spec),
});

export const autoscalingV1Rules = createRules<AutoscalingV1HorizontalPodAutoscaler>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    ...(spec ? { spec: { ...spec, minReplicas: spec.minReplicas ?? 1 } } : {}),
  }),
  validate: ({ spec }) => checkBounds(spec),
});

export const podDisruptionBudgetRules = createRules<PodDisruptionBudget>({
  validate: ({ spec }) => [
    ...(spec?.minAvailable !== undefined && spec.maxUnavailable !== undefined
      ? [invalidField('spec', spec, 'minAvailable and maxUnavailable cannot be both set')]
      : []),
    ...checkIntOrPercent(spec?.minAvailable, 'spec.minAvailable'),
    ...checkIntOrPercent(spec?.maxUnavailable, 'spec.maxUnavailable'),
    ...checkLabelSelector(spec?.selector, 'spec.selector'),
  ],
});

export const replicationControllerRules = createRules<ReplicationController>({
  defaults: ({ spec, ...rest }) => {
    const template = defaultPodTemplate(spec?.template);
    const { labels } = template.metadata ?? {};
    const selector = spec?.selector ?? labels;
    return { ...rest, spec: { ...spec, replicas: spec?.replicas ?? 1, ...(selector ? { selector } : {}), template } };
  },
  validate: ({ spec }) => [
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
