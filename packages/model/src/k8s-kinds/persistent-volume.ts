// PersistentVolumes and their claims, StorageClasses.
import { forbiddenField, requiredField } from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual } from '../k8s-patch/index.ts';
import { compareQuantities, quantity } from '../k8s-quantity/index.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  StorageClass,
} from '../k8s-types/index.ts';
import { checkChoice, checkImmutable, checkOptionalChoice } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { checkAmount } from './resource-checks.ts';

const accessModes = ['ReadWriteOnce', 'ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOncePod'];
const volumeModes = ['Block', 'Filesystem'];

export const persistentVolumeRules = createRules<PersistentVolume>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    spec: {
      ...spec,
      persistentVolumeReclaimPolicy: spec?.persistentVolumeReclaimPolicy || 'Retain',
      volumeMode: spec?.volumeMode ?? 'Filesystem',
    },
  }),
  prepareCreate: (volume) => ({ ...volume, status: { phase: 'Pending' } }),
  validate: ({ spec }) => [
    ...checkModes(spec?.accessModes),
    ...(spec?.capacity?.['storage']
      ? checkAmount('storage', spec.capacity['storage'], 'spec.capacity[storage]')
      : [requiredField('spec.capacity')]),
    ...checkChoice(
      spec?.persistentVolumeReclaimPolicy,
      ['Delete', 'Recycle', 'Retain'],
      'spec.persistentVolumeReclaimPolicy',
    ),
    ...checkOptionalChoice(spec?.volumeMode, volumeModes, 'spec.volumeMode'),
  ],
  validateUpdate: ({ spec }, { spec: old }) => checkImmutable(spec?.volumeMode, old?.volumeMode, 'spec.volumeMode'),
});

function checkModes(modes: readonly string[] | undefined): FieldError[] {
  if (!modes?.length) return [requiredField('spec.accessModes', 'at least 1 access mode is required')];
  return modes.flatMap((mode) => checkOptionalChoice(mode, accessModes, 'spec.accessModes'));
}

export const defaultPersistentVolumeClaim = (claim: PersistentVolumeClaim): PersistentVolumeClaim => ({
  ...claim,
  spec: { ...claim.spec, volumeMode: claim.spec?.volumeMode ?? 'Filesystem' },
});

export const persistentVolumeClaimRules = createRules<PersistentVolumeClaim>({
  defaults: defaultPersistentVolumeClaim,
  prepareCreate: (claim) => ({ ...claim, status: { phase: 'Pending' } }),
  validate: ({ spec }) => [
    ...checkModes(spec?.accessModes),
    ...(spec?.resources?.requests?.['storage']
      ? checkAmount('storage', spec.resources.requests['storage'], 'spec.resources[storage]')
      : [requiredField('spec.resources[storage]')]),
    ...checkOptionalChoice(spec?.volumeMode, volumeModes, 'spec.volumeMode'),
  ],
  validateUpdate: ({ spec }, old) => checkClaimUpdate(spec ?? {}, old.spec ?? {}, old.status?.phase === 'Bound'),
});

/** A claim may be bound, and once bound it may grow. */
function checkClaimUpdate(
  spec: PersistentVolumeClaimSpec,
  old: PersistentVolumeClaimSpec,
  isBound: boolean,
): FieldError[] {
  const fixed = (
    {
      volumeName: name,
      storageClassName: storageClass,
      resources,
      volumeAttributesClassName: attributes,
      ...rest
    }: PersistentVolumeClaimSpec,
    of: PersistentVolumeClaimSpec,
  ): object => ({
    ...rest,
    name: of.volumeName ? name : '',
    storageClass: of.storageClassName === undefined ? '' : storageClass,
    attributes: isBound ? '' : attributes,
    requests: isBound ? '' : (resources?.requests ?? {}),
  });
  if (!jsonEqual(fixed(spec, old), fixed(old, old))) {
    return [
      forbiddenField(
        'spec',
        'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      ),
    ];
  }
  const [size, before] = [spec.resources?.requests?.['storage'], old.resources?.requests?.['storage']];
  return size && before && compareQuantities(quantity(size), quantity(before)) < 0
    ? [forbiddenField('spec.resources.requests.storage', 'field can not be less than status.capacity')]
    : [];
}

export const storageClassRules = createRules<StorageClass>({
  defaults: (storageClass) => ({
    ...storageClass,
    reclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
    volumeBindingMode: storageClass.volumeBindingMode ?? 'Immediate',
  }),
  validate: ({ provisioner, reclaimPolicy, volumeBindingMode }) => [
    ...(provisioner ? [] : [requiredField('provisioner')]),
    ...checkOptionalChoice(reclaimPolicy, ['Delete', 'Retain'], 'reclaimPolicy'),
    ...checkChoice(volumeBindingMode, ['Immediate', 'WaitForFirstConsumer'], 'volumeBindingMode'),
  ],
  validateUpdate: (storageClass, old) =>
    (['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode'] as const)
      .filter((field) => !jsonEqual(storageClass[field], old[field]))
      .map((field) => forbiddenField(field, `updates to ${field} are forbidden.`)),
});
