// What storage drivers tell a cluster about themselves: CSIDrivers, CSINodes, capacities, attachments.
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
import { jsonEqual } from '../k8s-patch/index.ts';
import { checkLabelSelector } from '../k8s-selectors/index.ts';
import type {
  CSIDriver,
  CSIDriverSpec,
  CSINode,
  CSINodeDriver,
  CSIStorageCapacity,
  VolumeAttachment,
} from '../k8s-types/index.ts';
import { checkImmutable, checkNonNegative, checkText, repeated } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { checkAmount } from './resource-checks.ts';

const fsGroupPolicies = ['File', 'None', 'ReadWriteOnceWithFSType'];
const lifecycleModes = ['Persistent', 'Ephemeral'];
const minTokenSeconds = 600;

export const csiDriverRules = createRules<CSIDriver>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    spec: {
      ...spec,
      attachRequired: spec?.attachRequired ?? true,
      podInfoOnMount: spec?.podInfoOnMount ?? false,
      storageCapacity: spec?.storageCapacity ?? false,
      fsGroupPolicy: spec?.fsGroupPolicy ?? 'ReadWriteOnceWithFSType',
      volumeLifecycleModes: spec?.volumeLifecycleModes?.length ? spec.volumeLifecycleModes : ['Persistent'],
      requiresRepublish: spec?.requiresRepublish ?? false,
      seLinuxMount: spec?.seLinuxMount ?? false,
    },
  }),
  validate: ({ spec }) => checkDriverSpec(spec),
  validateUpdate: ({ spec }, { spec: old }) => [
    ...checkImmutable(spec.attachRequired, old.attachRequired, 'spec.attachedRequired'),
    ...checkImmutable(spec.volumeLifecycleModes, old.volumeLifecycleModes, 'spec.volumeLifecycleModes'),
  ],
});

function checkDriverSpec({
  fsGroupPolicy,
  tokenRequests = [],
  volumeLifecycleModes = [],
}: CSIDriverSpec): FieldError[] {
  const again = new Set(repeated(tokenRequests, ({ audience }) => `audience ${audience}`));
  return [
    ...(fsGroupPolicy === undefined || fsGroupPolicies.includes(fsGroupPolicy)
      ? []
      : [unsupportedField('spec.fsGroupPolicy', fsGroupPolicy, fsGroupPolicies)]),
    ...tokenRequests.flatMap(({ audience, expirationSeconds }, at) => {
      if (again.has(at)) return [duplicateField(`spec.tokenRequests[${at}].audience`, audience)];
      const path = `spec.tokenRequests[${at}].expirationSeconds`;
      if (expirationSeconds === undefined) return [];
      if (expirationSeconds < minTokenSeconds)
        return [invalidField(path, expirationSeconds, 'may not specify a duration less than 10 minutes')];
      return expirationSeconds > 2 ** 32
        ? [invalidField(path, expirationSeconds, 'may not specify a duration larger than 2^32 seconds')]
        : [];
    }),
    ...volumeLifecycleModes
      .filter((mode) => !lifecycleModes.includes(mode))
      .map((mode) => unsupportedField('spec.volumeLifecycleModes', mode, lifecycleModes)),
  ];
}

const maxDriverName = 63;

export function checkDriverName(name: string | undefined, path: string): FieldError[] {
  return [
    ...(name ? [] : [requiredField(path)]),
    ...((name ?? '').length > maxDriverName ? [tooLongField(path, maxDriverName)] : []),
    ...checkDns1123Subdomain((name ?? '').toLowerCase()).map((sentence) => invalidField(path, name ?? '', sentence)),
  ];
}

const maxNodeId = 256;

export const csiNodeRules = createRules<CSINode>({
  validate: ({ spec }) => {
    const drivers = spec?.drivers ?? [];
    return [
      ...drivers.flatMap((driver, at) => checkNodeDriver(driver, `spec.drivers[${at}]`)),
      ...repeated(drivers, ({ name }) => name).map((at) =>
        duplicateField(`spec.drivers[${at}].name`, drivers[at]!.name),
      ),
    ];
  },
  validateUpdate: ({ spec }, old) =>
    (old.spec?.drivers ?? []).flatMap((before) => {
      const now = spec?.drivers?.find(({ name }) => name === before.name);
      return now && !jsonEqual(now, before) ? [invalidField('CSINodeDriver', now, 'field is immutable')] : [];
    }),
});

const checkNodeDriver = (
  { name, nodeID, allocatable, topologyKeys = [] }: CSINodeDriver,
  path: string,
): FieldError[] => [
  ...checkDriverName(name, `${path}.name`),
  ...(nodeID ? [] : [requiredField(`${path}.nodeID`)]),
  ...((nodeID ?? '').length > maxNodeId
    ? [invalidField(`${path}.nodeID`, nodeID, `must be ${maxNodeId} characters or less`)]
    : []),
  ...checkNonNegative(allocatable?.count, `${path}.allocatable.count`),
  ...topologyKeys.flatMap((key) => [
    ...(key ? [] : [requiredField(path)]),
    ...checkQualifiedName(key).map((sentence) => invalidField(path, key, sentence)),
  ]),
  ...repeated(topologyKeys, (key) => key).map((at) => duplicateField(path, topologyKeys[at])),
];

export const csiStorageCapacityRules = createRules<CSIStorageCapacity>({
  validate: ({ nodeTopology, storageClassName, capacity }) => [
    ...checkLabelSelector(nodeTopology, 'nodeTopology'),
    ...checkDns1123Subdomain(storageClassName ?? '').map((sentence) =>
      invalidField('storageClassName', storageClassName ?? '', sentence),
    ),
    ...(capacity === undefined ? [] : checkAmount('storage', capacity, 'capacity')),
  ],
  validateUpdate: (next, old) => [
    ...checkImmutable(next.nodeTopology, old.nodeTopology, 'nodeTopology'),
    ...checkImmutable(next.storageClassName, old.storageClassName, 'storageClassName'),
  ],
});

export const volumeAttachmentRules = createRules<VolumeAttachment>({
  validate: ({ spec }) => {
    const { attacher, nodeName = '', source = {} } = spec ?? {};
    const { persistentVolumeName: name, inlineVolumeSpec: inline } = source;
    const either = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
    return [
      ...(attacher ? [] : [requiredField('spec.attacher')]),
      ...(name === undefined && !inline ? [requiredField('spec.source', either)] : []),
      ...(name !== undefined && inline ? [forbiddenField('spec.source', either)] : []),
      ...(name === '' && !inline
        ? [requiredField('spec.source.persistentVolumeName', 'must specify non empty persistentVolumeName')]
        : []),
      ...checkDns1123Subdomain(nodeName).map((sentence) => invalidField('spec.nodeName', nodeName, sentence)),
      ...checkDriverName(attacher, 'spec.attacher'),
      ...checkText(name, checkDns1123Subdomain, 'spec.source.persistentVolumeName'),
    ];
  },
  validateUpdate: ({ spec }, old) => checkImmutable(spec, old.spec, 'spec'),
});
