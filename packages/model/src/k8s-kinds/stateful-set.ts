// StatefulSets.
import { forbiddenField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import type {
  PersistentVolumeClaim,
  StatefulSet,
  StatefulSetSpec,
  StatefulSetUpdateStrategy,
} from '../k8s-types/index.ts';
import { checkChoice, checkNonNegative, checkOptionalChoice } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { defaultPersistentVolumeClaim } from './persistent-volume.ts';
import { defaultPodTemplate } from '../k8s-defaults/index.ts';
import { checkLastingWorkload } from './pod-template.ts';

export const statefulSetRules = createRules<StatefulSet>({
  defaults: (set) => ({ ...set, spec: defaultSpec(set.spec) }),
  validate: ({ spec }) => [
    ...checkChoice(spec!.podManagementPolicy, ['OrderedReady', 'Parallel'], 'spec.podManagementPolicy'),
    ...checkChoice(spec!.updateStrategy?.type, ['RollingUpdate', 'OnDelete'], 'spec.updateStrategy'),
    ...checkNonNegative(spec!.updateStrategy?.rollingUpdate?.partition, 'spec.updateStrategy.rollingUpdate.partition'),
    ...(['whenDeleted', 'whenScaled'] as const).flatMap((field) =>
      checkOptionalChoice(
        spec!.persistentVolumeClaimRetentionPolicy?.[field],
        ['Retain', 'Delete'],
        `spec.persistentVolumeClaimRetentionPolicy.${field}`,
      ),
    ),
    ...checkNonNegative(spec!.replicas, 'spec.replicas'),
    ...checkNonNegative(spec!.minReadySeconds, 'spec.minReadySeconds'),
    ...checkNonNegative(spec!.ordinals?.start, 'spec.ordinals.start'),
    ...checkLastingWorkload(spec!, 'StatefulSet'),
  ],
  validateUpdate: ({ spec }, old) => checkUpdate(spec!, old.spec!),
});

const defaultSpec = (spec: StatefulSetSpec | undefined): StatefulSetSpec => ({
  ...(spec as StatefulSetSpec),
  podManagementPolicy: spec?.podManagementPolicy || 'OrderedReady',
  updateStrategy: defaultStrategy(spec?.updateStrategy ?? {}),
  persistentVolumeClaimRetentionPolicy: {
    whenDeleted: spec?.persistentVolumeClaimRetentionPolicy?.whenDeleted || 'Retain',
    whenScaled: spec?.persistentVolumeClaimRetentionPolicy?.whenScaled || 'Retain',
  },
  replicas: spec?.replicas ?? 1,
  revisionHistoryLimit: spec?.revisionHistoryLimit ?? 10,
  template: defaultPodTemplate(spec?.template),
  ...(spec?.volumeClaimTemplates ? { volumeClaimTemplates: spec.volumeClaimTemplates.map(defaultClaim) } : {}),
});

const defaultClaim = (claim: PersistentVolumeClaim): PersistentVolumeClaim =>
  defaultPersistentVolumeClaim({ ...claim, apiVersion: 'v1', kind: 'PersistentVolumeClaim' });

/** How many pods may be down at once is an alpha feature of 1.32: a server without it does not keep the wish. */
function defaultStrategy({ type, rollingUpdate: wish, ...rest }: StatefulSetUpdateStrategy): StatefulSetUpdateStrategy {
  const { maxUnavailable: _, ...kept } = wish ?? {};
  const rollingUpdate = wish && kept;
  if (type === 'OnDelete') return { ...rest, type, ...(rollingUpdate ? { rollingUpdate } : {}) };
  // Only a strategy that is not named at all gets its partition.
  const rolling =
    type && !rollingUpdate ? {} : { rollingUpdate: { ...rollingUpdate, partition: rollingUpdate?.partition ?? 0 } };
  return { ...rest, type: type || 'RollingUpdate', ...rolling };
}

const updatable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

function checkUpdate(spec: StatefulSetSpec, old: StatefulSetSpec): FieldError[] {
  const fixed = (of: StatefulSetSpec): object =>
    Object.fromEntries(Object.entries(of).filter(([field]) => !(updatable as readonly string[]).includes(field)));
  if (jsonEqual(fixed(spec), fixed(old))) return [];
  const last = updatable.at(-1);
  const names = updatable.slice(0, -1).map((field) => `'${field}'`);
  return [
    forbiddenField(
      'spec',
      `updates to statefulset spec for fields other than ${names.join(', ')} and '${last}' are forbidden`,
    ),
  ];
}
