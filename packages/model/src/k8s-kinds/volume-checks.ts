// Checks of volumes, and of where containers mount them.
import {
  checkDns1123Label,
  duplicateField,
  forbiddenField,
  invalidField,
  notFoundField,
  requiredField,
  unsupportedField,
} from '../k8s/index.ts';
import type { FieldError } from '../k8s/index.ts';
import { parseQuantity } from '../k8s-quantity/index.ts';
import type {
  Container,
  DownwardAPIVolumeFile,
  EphemeralVolumeSource,
  KeyToPath,
  ObjectFieldSelector,
  ResourceFieldSelector,
  Volume,
  VolumeMount,
  VolumeProjection,
} from '../k8s-types/index.ts';
import { checkChoice, checkOptionalChoice, checkRequiredName, repeated } from './checks.ts';
import { checkDriverName } from './csi.ts';
import { checkClaimSpec } from './persistent-volume.ts';

export function checkVolumes(volumes: readonly Volume[], path: string): FieldError[] {
  return [
    ...volumes.flatMap((volume, at) => [
      ...checkRequiredName(volume.name, checkDns1123Label, `${path}[${at}].name`),
      ...checkSource(volume, `${path}[${at}]`),
    ]),
    ...repeated(volumes, ({ name }) => name).map((at) => duplicateField(`${path}[${at}].name`, volumes[at]!.name)),
  ];
}

function checkSource(volume: Volume, path: string): FieldError[] {
  const sources = Object.keys(volume).filter((field) => field !== 'name');
  if (sources.length === 0) return [requiredField(path, 'must specify a volume type')];
  const extra = sources
    .slice(1)
    .map((name) => forbiddenField(`${path}.${name}`, 'may not specify more than 1 volume type'));
  return [...extra, ...checkKnownSource(volume, path)];
}

const hostPathTypes = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
];
const maxMode = 0o777;

function checkKnownSource(volume: Volume, path: string): FieldError[] {
  const { emptyDir, hostPath, secret, configMap, downwardAPI, projected, persistentVolumeClaim, nfs, csi, ephemeral } =
    volume;
  const size = emptyDir?.sizeLimit === undefined ? undefined : parseQuantity(emptyDir.sizeLimit);
  return [
    ...(size && size.nano < 0n
      ? [forbiddenField(`${path}.emptyDir.sizeLimit`, 'SizeLimit field must be a valid resource quantity')]
      : []),
    ...(hostPath ? checkHostPath(hostPath.path, hostPath.type, `${path}.hostPath`) : []),
    ...(secret ? checkFiles(secret.secretName, secret, `${path}.secret`, 'secretName') : []),
    ...(configMap ? checkFiles(configMap.name, configMap, `${path}.configMap`, 'name') : []),
    ...checkMode(downwardAPI?.defaultMode, `${path}.downwardAPI.defaultMode`),
    ...checkMode(projected?.defaultMode, `${path}.projected.defaultMode`),
    ...(projected?.sources ?? []).flatMap((source, at) => checkProjection(source, `${path}.projected.sources[${at}]`)),
    ...(persistentVolumeClaim && !persistentVolumeClaim.claimName
      ? [requiredField(`${path}.persistentVolumeClaim.claimName`)]
      : []),
    ...(nfs && !nfs.server ? [requiredField(`${path}.nfs.server`)] : []),
    ...(nfs && !nfs.path?.startsWith('/')
      ? [invalidField(`${path}.nfs.path`, nfs.path ?? '', 'must be an absolute path')]
      : []),
    ...(csi ? checkDriverName(csi.driver, `${path}.csi.driver`) : []),
    ...(csi?.nodePublishSecretRef && !csi.nodePublishSecretRef.name
      ? [requiredField(`${path}.csi.nodePublishSecretRef.name`)]
      : []),
    ...checkReadable(downwardAPI?.items ?? [], `${path}.downwardAPI`),
    ...(ephemeral ? checkEphemeral(ephemeral, `${path}.ephemeral.volumeClaimTemplate`) : []),
  ];
}

function checkHostPath(target: string | undefined, type: string | undefined, path: string): FieldError[] {
  if (!target) return [requiredField(`${path}.path`)];
  return [...checkNoBacksteps(target, `${path}.path`), ...checkOptionalChoice(type, hostPathTypes, `${path}.type`)];
}

const checkNoBacksteps = (target: string, path: string): FieldError[] =>
  target.split('/').includes('..') ? [invalidField(path, target, "must not contain '..'")] : [];

/** A path below a directory: relative, without a way out. */
export const checkDescending = (target: string | undefined, path: string): FieldError[] =>
  target === undefined
    ? []
    : [
        ...(target.startsWith('/') ? [invalidField(path, target, 'must be a relative path')] : []),
        ...checkNoBacksteps(target, path),
      ];

const checkMode = (mode: number | undefined, path: string): FieldError[] =>
  mode !== undefined && (mode < 0 || mode > maxMode)
    ? [invalidField(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];

const checkEphemeral = ({ volumeClaimTemplate: template }: EphemeralVolumeSource, path: string): FieldError[] =>
  template ? checkClaimSpec(template.spec ?? {}, `${path}.spec`) : [requiredField(path)];

const volumeFields = ['metadata.annotations', 'metadata.labels', 'metadata.name', 'metadata.namespace', 'metadata.uid'];

/** Files made of fields of the pod; their problems are told of the list. */
const checkReadable = (items: readonly DownwardAPIVolumeFile[], path: string): FieldError[] =>
  items.flatMap(({ path: target, fieldRef, resourceFieldRef, mode }) => [
    ...(target ? checkDescending(target, `${path}.path`) : [requiredField(`${path}.path`)]),
    ...(fieldRef ? checkFieldRef(fieldRef, volumeFields, `${path}.fieldRef`) : []),
    ...(fieldRef && resourceFieldRef
      ? [invalidField(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously')]
      : []),
    ...(resourceFieldRef && !fieldRef ? checkResourceRef(resourceFieldRef, `${path}.resourceFieldRef`, true) : []),
    ...(fieldRef || resourceFieldRef ? [] : [requiredField(path, 'one of fieldRef and resourceFieldRef is required')]),
    ...checkMode(mode, `${path}.mode`),
  ]);

const readableResources = [
  'limits.cpu',
  'limits.ephemeral-storage',
  'limits.memory',
  'requests.cpu',
  'requests.ephemeral-storage',
  'requests.memory',
];

/** An amount of a container; in a volume it has to say of which. */
export function checkResourceRef(
  { containerName, resource }: ResourceFieldSelector,
  path: string,
  isVolume: boolean,
): FieldError[] {
  if (isVolume && !containerName) return [requiredField(`${path}.containerName`)];
  if (!resource) return [requiredField(`${path}.resource`)];
  return readableResources.includes(resource) || /^(limits|requests)\.hugepages-/.test(resource)
    ? []
    : [unsupportedField(`${path}.resource`, resource, readableResources)];
}

interface Files {
  readonly defaultMode?: number;
  readonly items?: readonly KeyToPath[];
}

function checkFiles(name: string | undefined, files: Files, path: string, nameField: string): FieldError[] {
  return [
    ...(name ? [] : [requiredField(`${path}.${nameField}`)]),
    ...checkMode(files.defaultMode, `${path}.defaultMode`),
    ...checkItems(files.items ?? [], `${path}.items`),
  ];
}

const checkItems = (items: readonly KeyToPath[], path: string): FieldError[] =>
  items.flatMap((item, at) => [
    ...(item.key ? [] : [requiredField(`${path}[${at}].key`)]),
    ...(item.path ? checkDescending(item.path, `${path}[${at}].path`) : [requiredField(`${path}[${at}].path`)]),
    ...checkMode(item.mode, `${path}[${at}].mode`),
  ]);

const minTokenSeconds = 600;

function checkProjection(source: VolumeProjection, path: string): FieldError[] {
  const { secret, configMap, downwardAPI, serviceAccountToken: token } = source;
  const kinds = Object.keys(source);
  return [
    ...kinds.slice(1).map((kind) => forbiddenField(`${path}.${kind}`, 'may not specify more than 1 volume type')),
    ...checkReadable(downwardAPI?.items ?? [], `${path}.downwardAPI`),
    ...(secret ? checkFiles(secret.name, secret, `${path}.secret`, 'name') : []),
    ...(configMap ? checkFiles(configMap.name, configMap, `${path}.configMap`, 'name') : []),
    ...(token && (token.expirationSeconds ?? 0) < minTokenSeconds
      ? [
          invalidField(
            `${path}.serviceAccountToken.expirationSeconds`,
            token.expirationSeconds,
            'may not specify a duration less than 10 minutes',
          ),
        ]
      : []),
    ...(token && !token.path ? [requiredField(`${path}.serviceAccountToken.path`)] : []),
    ...(token ? checkDescending(token.path, `${path}.serviceAccountToken.path`) : []),
  ];
}

export function checkMounts(container: Container, volumes: readonly Volume[], path: string): FieldError[] {
  const mounts = container.volumeMounts ?? [];
  const known = new Set(volumes.map(({ name }) => name));
  return [
    ...mounts.flatMap((mount, at) => checkMount(mount, container, known, `${path}[${at}]`)),
    ...repeated(mounts, ({ mountPath }) => mountPath).map((at) =>
      invalidField(`${path}[${at}].mountPath`, mounts[at]!.mountPath, 'must be unique'),
    ),
  ];
}

function checkMount(
  mount: VolumeMount,
  container: Container,
  volumes: ReadonlySet<string>,
  path: string,
): FieldError[] {
  const isPrivileged = container.securityContext?.privileged ?? false;
  return [
    ...(mount.name ? [] : [requiredField(`${path}.name`)]),
    ...(volumes.has(mount.name) ? [] : [notFoundField(`${path}.name`, mount.name ?? '')]),
    ...(mount.mountPath ? [] : [requiredField(`${path}.mountPath`)]),
    ...checkDescending(mount.subPath, `${path}.subPath`),
    ...checkDescending(mount.subPathExpr, `${path}.subPathExpr`),
    ...(mount.subPath && mount.subPathExpr
      ? [invalidField(`${path}.subPathExpr`, mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive')]
      : []),
    ...(mount.mountPropagation === undefined
      ? []
      : propagations.includes(mount.mountPropagation)
        ? []
        : [unsupportedField(`${path}.mountPropagation`, mount.mountPropagation, propagations)]),
    ...(mount.mountPropagation === 'Bidirectional' && !isPrivileged
      ? [
          forbiddenField(
            `${path}.mountPropagation`,
            'Bidirectional mount propagation is available only to privileged containers',
          ),
        ]
      : []),
  ];
}

const propagations = ['Bidirectional', 'HostToContainer', 'None'];

/** Raw block devices: claims only, each once, and not mounted as well. */
export function checkDevices(container: Container, volumes: readonly Volume[], path: string): FieldError[] {
  const devices = container.volumeDevices ?? [];
  const mounts = container.volumeMounts ?? [];
  return [
    ...devices.flatMap(({ name = '', devicePath = '' }, at) => {
      const volume = volumes.find((one) => one.name === name);
      const here = `${path}[${at}]`;
      return [
        ...(name ? [] : [requiredField(`${here}.name`)]),
        ...(volume && !volume.persistentVolumeClaim && !volume.ephemeral
          ? [
              invalidField(
                `${here}.name`,
                name,
                'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
              ),
            ]
          : []),
        ...(volume ? [] : [notFoundField(`${here}.name`, name)]),
        ...(devicePath ? [] : [requiredField(`${here}.devicePath`)]),
        ...(devicePath.split('/').includes('..')
          ? [invalidField(`${here}.devicePath`, devicePath, "can not contain backsteps ('..')")]
          : []),
        ...(mounts.some((mount) => mount.name === name)
          ? [invalidField(`${here}.name`, name, 'must not already exist in volumeMounts')]
          : []),
        ...(mounts.some(({ mountPath }) => mountPath === devicePath)
          ? [invalidField(`${here}.devicePath`, devicePath, 'must not already exist as a path in volumeMounts')]
          : []),
      ];
    }),
    ...repeated(devices, ({ name }) => name).map((at) =>
      invalidField(`${path}[${at}].name`, devices[at]!.name, 'must be unique'),
    ),
    ...repeated(devices, ({ devicePath }) => devicePath).map((at) =>
      invalidField(`${path}[${at}].devicePath`, devices[at]!.devicePath, 'must be unique'),
    ),
  ];
}

/** The fields of a pod that its own containers may read. */
export function checkFieldRef(ref: ObjectFieldSelector, fields: readonly string[], path: string): FieldError[] {
  if (!ref.fieldPath) return [requiredField(`${path}.fieldPath`)];
  if (/^metadata\.(?:annotations|labels)\['[^']+'\]$/.test(ref.fieldPath)) return [];
  return known.includes(ref.fieldPath)
    ? checkChoice(ref.fieldPath, fields, `${path}.fieldPath`)
    : [
        invalidField(
          `${path}.fieldPath`,
          ref.fieldPath,
          `error converting fieldPath: field label not supported: ${ref.fieldPath}`,
        ),
      ];
}

/** The fields of a pod that have a name here; not all may be read everywhere. */
const known = [
  'metadata.annotations',
  'metadata.labels',
  'metadata.name',
  'metadata.namespace',
  'metadata.uid',
  'spec.host',
  'spec.nodeName',
  'spec.restartPolicy',
  'spec.schedulerName',
  'spec.serviceAccountName',
  'status.hostIP',
  'status.hostIPs',
  'status.phase',
  'status.podIP',
  'status.podIPs',
];
