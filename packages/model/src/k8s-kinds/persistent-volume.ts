// PersistentVolumes and their claims, StorageClasses.
import {
  checkQualifiedName,
  duplicateField,
  forbiddenField,
  invalidField,
  requiredField,
  tooLongField,
  unsupportedField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { jsonEqual, jsonKey } from '../k8s-patch/index.ts';
import { compareQuantities, quantity } from '../k8s-quantity/index.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  StorageClass,
  TopologySelectorTerm,
} from '../k8s-types/index.ts';
import { checkChoice, checkImmutable, checkOptionalChoice, repeated } from './checks.ts';
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
  validate: ({ provisioner, parameters, reclaimPolicy, volumeBindingMode, allowedTopologies = [] }) => [
    ...(provisioner ? [] : [requiredField('provisioner')]),
    ...(provisioner
      ? checkQualifiedName(provisioner.toLowerCase()).map((sentence) =>
          invalidField('provisioner', provisioner.toLowerCase(), sentence),
        )
      : []),
    ...checkParameters(parameters, 'parameters'),
    ...checkOptionalChoice(reclaimPolicy, ['Delete', 'Retain'], 'reclaimPolicy'),
    ...(bindingModes.includes(volumeBindingMode ?? '')
      ? []
      : [unsupportedField('volumeBindingMode', volumeBindingMode, bindingModes)]),
    ...allowedTopologies.flatMap((term, at) => checkTopologyTerm(term, `allowedTopologies[${at}]`)),
    ...repeated(allowedTopologies, (term) => jsonKey(term)).map((at) =>
      duplicateField(`allowedTopologies[${at}].matchLabelExpressions`, ''),
    ),
  ],
  validateUpdate: (storageClass, old) => [
    ...(['parameters', 'provisioner', 'reclaimPolicy'] as const)
      .filter((field) => !jsonEqual(storageClass[field], old[field]))
      .map((field) => forbiddenField(field, `updates to ${field} are forbidden.`)),
    ...checkImmutable(storageClass.volumeBindingMode, old.volumeBindingMode, 'volumeBindingMode'),
  ],
});

const bindingModes = ['Immediate', 'WaitForFirstConsumer'];
const maxParameters = 512;
const maxParameterBytes = 256 * 1024;

function checkParameters(parameters: Readonly<Record<string, string>> | undefined, path: string): FieldError[] {
  const entries = Object.entries(parameters ?? {});
  if (entries.length > maxParameters) return [tooLongField(path, maxParameters)];
  const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  return [
    ...entries.filter(([key]) => key === '').map(([key]) => invalidField(path, key, 'field can not be empty.')),
    ...(bytes > maxParameterBytes ? [tooLongField(path, maxParameterBytes)] : []),
  ];
}

function checkTopologyTerm({ matchLabelExpressions = [] }: TopologySelectorTerm, path: string): FieldError[] {
  const at = `${path}.matchLabelExpressions`;
  return [
    ...matchLabelExpressions.flatMap(({ key = '', values = [] }, i) => [
      ...(values.length === 0 ? [requiredField(`${at}[${i}].values`)] : []),
      ...repeated(values, (value) => value).map((j) => duplicateField(`${at}[${i}].values[${j}]`, values[j])),
      ...checkQualifiedName(key).map((sentence) => invalidField(`${at}[${i}].key`, key, sentence)),
    ]),
    ...repeated(matchLabelExpressions, ({ key }) => key).map((i) =>
      duplicateField(`${at}[${i}].key`, matchLabelExpressions[i]!.key),
    ),
  ];
}
