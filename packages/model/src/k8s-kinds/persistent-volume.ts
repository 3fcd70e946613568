// PersistentVolumes and their claims, StorageClasses.
import {
  checkDns1123Subdomain,
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
import { compareQuantities, parseQuantity, quantity } from '../k8s-quantity/index.ts';
import { checkLabelSelector } from '../k8s-selectors/index.ts';
import type {
  PersistentVolume,
  PersistentVolumeClaim,
  PersistentVolumeClaimSpec,
  PersistentVolumeSpec,
  StorageClass,
  TopologySelectorTerm,
  TypedLocalObjectReference,
} from '../k8s-types/index.ts';
import { checkChoice, checkImmutable, checkOptionalChoice, checkText, repeated } from './checks.ts';
import { checkDriverName } from './csi.ts';
import { createRules } from './kind-rules.ts';
import { checkNodeTerm } from './scheduling-checks.ts';

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];
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
    ...(spec?.accessModes?.length
      ? checkModes(spec.accessModes, 'spec.accessModes')
      : [requiredField('spec.accessModes')]),
    ...checkCapacity(spec?.capacity ?? {}),
    ...checkVolumeSource(spec ?? {}),
    ...checkClassName(spec?.storageClassName, 'spec.storageClassName'),
    ...checkVolumeNodes(spec ?? {}),
    ...checkChoice(
      spec?.persistentVolumeReclaimPolicy,
      ['Delete', 'Recycle', 'Retain'],
      'spec.persistentVolumeReclaimPolicy',
    ),
    ...checkOptionalChoice(spec?.volumeMode, volumeModes, 'spec.volumeMode'),
  ],
  validateUpdate: ({ spec }, { spec: old }) => [
    ...(jsonEqual(sourceOf(spec ?? {}), sourceOf(old ?? {}))
      ? []
      : [forbiddenField('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation')]),
    ...checkImmutable(spec?.volumeMode, old?.volumeMode, 'volumeMode'),
    ...(!old?.nodeAffinity || jsonEqual(spec?.nodeAffinity, old.nodeAffinity)
      ? []
      : [
          invalidField(
            'nodeAffinity',
            spec?.nodeAffinity,
            'field is immutable, except for updating from beta label to GA',
          ),
        ]),
  ],
});

/** The fields of a volume that are not its source. */
const generalFields = new Set([
  'accessModes',
  'capacity',
  'claimRef',
  'mountOptions',
  'nodeAffinity',
  'persistentVolumeReclaimPolicy',
  'storageClassName',
  'volumeAttributesClassName',
  'volumeMode',
]);
const sourceOf = (spec: PersistentVolumeSpec): object =>
  Object.fromEntries(Object.entries(spec).filter(([field]) => !generalFields.has(field)));

function checkCapacity(capacity: Readonly<Record<string, string>>): FieldError[] {
  const size = capacity['storage'];
  if (Object.keys(capacity).length === 0)
    return [requiredField('spec.capacity'), unsupportedField('spec.capacity', capacity, ['storage'])];
  if (size === undefined || Object.keys(capacity).length > 1)
    return [unsupportedField('spec.capacity', capacity, ['storage'])];
  return checkSize(size, 'spec.capacity[storage]');
}

function checkSize(size: string, path: string): FieldError[] {
  const amount = parseQuantity(size);
  return amount && amount.nano <= 0n ? [invalidField(path, size, 'must be greater than zero')] : [];
}

const checkClassName = (name: string | undefined, path: string): FieldError[] =>
  checkText(name, checkDns1123Subdomain, path);

const hostPathTypes = [
  '',
  'BlockDevice',
  'CharDevice',
  'Directory',
  'DirectoryOrCreate',
  'File',
  'FileOrCreate',
  'Socket',
];

function checkVolumeSource(spec: PersistentVolumeSpec): FieldError[] {
  const sources = Object.keys(sourceOf(spec));
  const { hostPath, local, nfs, csi } = spec;
  return [
    ...(sources.length === 0 ? [requiredField('spec', 'must specify a volume type')] : []),
    ...sources.slice(1).map((name) => forbiddenField(`spec.${name}`, 'may not specify more than 1 volume type')),
    ...(hostPath && !hostPath.path ? [requiredField('spec.hostPath.path')] : []),
    ...(hostPath?.type !== undefined && !hostPathTypes.includes(hostPath.type)
      ? [unsupportedField('spec.hostPath.type', hostPath.type, hostPathTypes)]
      : []),
    ...(local && !local.path ? [requiredField('spec.local.path')] : []),
    ...(local && !spec.nodeAffinity ? [requiredField('spec.nodeAffinity', 'Local volume requires node affinity')] : []),
    ...(nfs && !nfs.server ? [requiredField('spec.nfs.server')] : []),
    ...(nfs && !nfs.path ? [requiredField('spec.nfs.path')] : []),
    ...(nfs && !nfs.path?.startsWith('/')
      ? [invalidField('spec.nfs.path', nfs.path ?? '', 'must be an absolute path')]
      : []),
    ...(csi ? checkDriverName(csi.driver, 'spec.csi.driver') : []),
    ...(csi && !csi.volumeHandle ? [requiredField('spec.csi.volumeHandle')] : []),
  ];
}

function checkVolumeNodes({ nodeAffinity }: PersistentVolumeSpec): FieldError[] {
  if (!nodeAffinity) return [];
  const path = 'spec.nodeAffinity.required';
  if (!nodeAffinity.required) return [requiredField(path, 'must specify required node constraints')];
  const terms = nodeAffinity.required.nodeSelectorTerms ?? [];
  return terms.length === 0
    ? [requiredField(`${path}.nodeSelectorTerms`, 'must have at least one node selector term')]
    : terms.flatMap((term, at) => checkNodeTerm(term, `${path}.nodeSelectorTerms[${at}]`));
}

function checkModes(modes: readonly string[] | undefined, path: string): FieldError[] {
  if (!modes?.length) return [requiredField(path, 'at least 1 access mode is required')];
  return modes.flatMap((mode) => checkOptionalChoice(mode, accessModes, path));
}

export const defaultPersistentVolumeClaim = (claim: PersistentVolumeClaim): PersistentVolumeClaim => ({
  ...claim,
  spec: { ...claim.spec, volumeMode: claim.spec?.volumeMode ?? 'Filesystem' },
});

/** What is asked of a volume, in a claim or in the template of one. */
export function checkClaimSpec(spec: PersistentVolumeClaimSpec, path: string): FieldError[] {
  return [
    ...checkLabelSelector(spec.selector, `${path}.selector`),
    ...checkModes(spec.accessModes, `${path}.accessModes`),
    ...(spec.resources?.requests?.['storage']
      ? checkSize(spec.resources.requests['storage'], `${path}.resources[storage]`)
      : [requiredField(`${path}.resources[storage]`)]),
    ...checkClassName(spec.storageClassName, `${path}.storageClassName`),
    ...checkOptionalChoice(spec.volumeMode, volumeModes, `${path}.volumeMode`),
    ...(spec.dataSourceRef ? checkDataSource(spec.dataSourceRef, `${path}.dataSourceRef`) : []),
  ];
}

export const persistentVolumeClaimRules = createRules<PersistentVolumeClaim>({
  defaults: defaultPersistentVolumeClaim,
  prepareCreate: (claim) => ({ ...claim, status: { phase: 'Pending' } }),
  validate: ({ spec }) => checkClaimSpec(spec ?? {}, 'spec'),
  validateUpdate: ({ spec }, old) => checkClaimUpdate(spec ?? {}, old.spec ?? {}, old.status?.phase === 'Bound'),
});

function checkDataSource({ kind, name, apiGroup = '' }: TypedLocalObjectReference, path: string): FieldError[] {
  return [
    ...(name ? [] : [requiredField(`${path}.name`)]),
    ...(kind ? [] : [requiredField(`${path}.kind`)]),
    ...checkText(apiGroup, checkDns1123Subdomain, `${path}.apiGroup`),
    ...(!apiGroup && kind !== 'PersistentVolumeClaim'
      ? [invalidField(path, kind ?? '', "must be 'PersistentVolumeClaim' when referencing the default apiGroup")]
      : []),
  ];
}

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
