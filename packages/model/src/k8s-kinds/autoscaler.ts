// HorizontalPodAutoscalers, both versions.
import { checkDns1123Label, forbiddenField, invalidField, requiredField, unsupportedField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { parseQuantity } from '../k8s-quantity/index.ts';
import type {
  AutoscalingV1HorizontalPodAutoscaler,
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerBehavior,
  HPAScalingRules,
  MetricSpec,
  MetricTarget,
} from '../k8s-types/index.ts';
import { checkRequiredName } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { checkContainerResourceName } from './resource-checks.ts';

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
            ...(spec.behavior?.scaleUp || spec.behavior?.scaleDown ? { behavior: defaultBehavior(spec.behavior) } : {}),
          },
        }
      : {}),
  }),
  validate: ({ spec }) => [
    ...checkBounds(spec),
    ...(spec?.metrics ?? []).flatMap((metric, at) => checkMetric(metric, `spec.metrics[${at}]`)),
    ...(spec?.minReplicas === 0 && !spec.metrics?.some(({ type }) => type === 'Object' || type === 'External')
      ? [
          forbiddenField(
            'spec.metrics',
            'must specify at least one Object or External metric to support scaling to zero replicas',
          ),
        ]
      : []),
    ...checkScaling(spec?.behavior?.scaleUp, 'spec.behavior.scaleUp'),
    ...checkScaling(spec?.behavior?.scaleDown, 'spec.behavior.scaleDown'),
  ],
});

/** Up: double or four more, whichever is more, each 15 seconds; down: everything at once. */
const defaultBehavior = ({ scaleUp, scaleDown }: HorizontalPodAutoscalerBehavior): HorizontalPodAutoscalerBehavior => ({
  scaleUp: {
    ...scaleUp,
    selectPolicy: scaleUp?.selectPolicy ?? 'Max',
    stabilizationWindowSeconds: scaleUp?.stabilizationWindowSeconds ?? 0,
    policies: scaleUp?.policies ?? [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  },
  scaleDown: {
    ...scaleDown,
    selectPolicy: scaleDown?.selectPolicy ?? 'Max',
    policies: scaleDown?.policies ?? [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  },
});

export const autoscalingV1Rules = createRules<AutoscalingV1HorizontalPodAutoscaler>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    ...(spec ? { spec: { ...spec, minReplicas: spec.minReplicas ?? 1 } } : {}),
  }),
  validate: ({ spec }) => checkBounds(spec),
});

const maxWindowSeconds = 3_600;
const maxPeriodSeconds = 1_800;

function checkScaling(rules: HPAScalingRules | undefined, path: string): FieldError[] {
  if (!rules) return [];
  const { stabilizationWindowSeconds: window, selectPolicy, policies = [] } = rules;
  const atWindow = `${path}.stabilizationWindowSeconds`;
  const select = ['Disabled', 'Max', 'Min'];
  return [
    ...(window !== undefined && window < 0
      ? [invalidField(atWindow, window, 'must be greater than or equal to zero')]
      : []),
    ...(window !== undefined && window > maxWindowSeconds
      ? [invalidField(atWindow, window, `must be less than or equal to ${maxWindowSeconds}`)]
      : []),
    ...(selectPolicy === undefined || select.includes(selectPolicy)
      ? []
      : [unsupportedField(`${path}.selectPolicy`, selectPolicy, select)]),
    ...(policies.length === 0 ? [requiredField(`${path}.policies`, 'must specify at least one Policy')] : []),
    ...policies.flatMap(({ type = '', value = 0, periodSeconds = 0 }, at) => {
      const here = `${path}.policies[${at}]`;
      return [
        ...(type === 'Percent' || type === 'Pods' ? [] : [unsupportedField(`${here}.type`, type, ['Percent', 'Pods'])]),
        ...(value > 0 ? [] : [invalidField(`${here}.value`, value, 'must be greater than zero')]),
        ...(periodSeconds > 0
          ? []
          : [invalidField(`${here}.periodSeconds`, periodSeconds, 'must be greater than zero')]),
        ...(periodSeconds > maxPeriodSeconds
          ? [invalidField(`${here}.periodSeconds`, periodSeconds, `must be less than or equal to ${maxPeriodSeconds}`)]
          : []),
      ];
    }),
  ];
}

/** Where each type of metric has its source, in the order in which they are looked at. */
const sources = {
  Object: 'object',
  External: 'external',
  Pods: 'pods',
  Resource: 'resource',
  ContainerResource: 'containerResource',
} as const;
type Source = (typeof sources)[keyof typeof sources];

function checkMetric(metric: MetricSpec, path: string): FieldError[] {
  const { type = '' } = metric;
  const types = Object.keys(sources).sort();
  const present = Object.values(sources).filter((source) => metric[source] !== undefined);
  const expected = (sources as Readonly<Record<string, Source>>)[type];
  const others = present.length === 1 ? [] : present.filter((source) => source !== expected);
  return [
    ...(type ? [] : [requiredField(`${path}.type`, 'must specify a metric source type')]),
    ...(types.includes(type) ? [] : [unsupportedField(`${path}.type`, type, types)]),
    ...(present[0] ? checkSource(metric, present[0], `${path}.${present[0]}`) : []),
    ...(expected && !present.includes(expected)
      ? [requiredField(`${path}.${expected}`, 'must populate information for the given metric source')]
      : []),
    ...others.map((source) => forbiddenField(`${path}.${source}`, 'must populate the given metric source only')),
  ];
}

function checkSource(metric: MetricSpec, source: Source, path: string): FieldError[] {
  switch (source) {
    case 'object': {
      const { describedObject, metric: of, target } = metric.object!;
      return [
        ...(describedObject?.kind ? [] : [requiredField(`${path}.describedObject.kind`)]),
        ...(describedObject?.name ? [] : [requiredField(`${path}.describedObject.name`)]),
        ...checkMetricName(of?.name, path),
        ...checkTarget(target, `${path}.target`),
        ...checkOneOf(target, ['value', 'averageValue'], `${path}.target`, {
          none: 'must set either a target value or averageValue',
          both: 'may not set both a target value and averageValue',
        }),
      ];
    }
    case 'external': {
      const { metric: of, target } = metric.external!;
      return [
        ...checkMetricName(of?.name, path),
        ...checkTarget(target, `${path}.target`),
        ...checkOneOf(target, ['value', 'averageValue'], `${path}.target`, {
          none: 'must set either a target value for metric or a per-pod target',
          both: 'may not set both a target value for metric and a per-pod target',
        }),
      ];
    }
    case 'pods': {
      const { metric: of, target } = metric.pods!;
      const isPositive = (parseQuantity(target?.averageValue ?? '')?.nano ?? 0n) > 0n;
      return [
        ...checkMetricName(of?.name, path),
        ...checkTarget(target, `${path}.target`),
        ...(isPositive
          ? []
          : [requiredField(`${path}.target.averageValue`, 'must specify a positive target averageValue')]),
      ];
    }
    case 'resource': {
      const { name, target } = metric.resource!;
      return [
        ...(name ? [] : [requiredField(`${path}.name`, 'must specify a resource name')]),
        ...checkResourceTarget(target, `${path}.target`),
      ];
    }
    case 'containerResource': {
      const { name, container, target } = metric.containerResource!;
      return [
        ...(name
          ? checkContainerResourceName(name, `${path}.name`)
          : [requiredField(`${path}.name`, 'must specify a resource name')]),
        ...(container
          ? checkRequiredName(container, checkDns1123Label, `${path}.container`)
          : [requiredField(`${path}.container`, 'must specify a container')]),
        ...checkResourceTarget(target, `${path}.target`),
      ];
    }
  }
}

const checkMetricName = (name: string | undefined, path: string): FieldError[] =>
  name ? [] : [requiredField(`${path}.metric.name`, 'must specify a metric name')];

const checkResourceTarget = (target: MetricTarget | undefined, path: string): FieldError[] => [
  ...checkTarget(target, path),
  ...checkOneOf(target, ['averageValue', 'averageUtilization'], path, {
    none: 'must set either a target raw value or a target utilization',
    both: 'may not set both a target raw value and a target utilization',
  }),
];

/** None is a problem of the second field, both are one of the first. */
function checkOneOf(
  target: MetricTarget | undefined,
  [first, second]: readonly ['value' | 'averageValue', 'averageValue' | 'averageUtilization'],
  path: string,
  say: { readonly none: string; readonly both: string },
): FieldError[] {
  const has = [target?.[first], target?.[second]].map((value) => value !== undefined);
  if (!has[0] && !has[1]) return [requiredField(`${path}.${second}`, say.none)];
  return has[0] && has[1] ? [forbiddenField(`${path}.${first}`, say.both)] : [];
}

function checkTarget(target: MetricTarget | undefined, path: string): FieldError[] {
  const { type = '', averageUtilization } = target ?? {};
  return [
    ...(type ? [] : [requiredField(`${path}.type`, 'must specify a metric target type')]),
    ...(['Utilization', 'Value', 'AverageValue'].includes(type)
      ? []
      : [invalidField(`${path}.type`, type, 'must be either Utilization, Value, or AverageValue')]),
    ...(['value', 'averageValue'] as const).flatMap((field) => {
      const amount = parseQuantity(target?.[field] ?? '');
      return amount && amount.nano <= 0n ? [invalidField(`${path}.${field}`, target?.[field], 'must be positive')] : [];
    }),
    ...(averageUtilization !== undefined && averageUtilization < 1
      ? [invalidField(`${path}.averageUtilization`, averageUtilization, 'must be greater than 0')]
      : []),
  ];
}
