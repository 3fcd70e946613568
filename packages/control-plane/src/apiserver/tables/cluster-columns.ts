// How configuration, storage, access rules and the cluster's own objects are printed.
import { parseTime, seconds } from '@kedge/core/time';
import { age, humanDuration } from '@kedge/engine/kube-api';
import type {
  CertificateSigningRequest,
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  CustomResourceDefinition,
  Event,
  EventsV1Event,
  Lease,
  LimitRange,
  Namespace,
  PersistentVolume,
  PersistentVolumeClaim,
  PriorityClass,
  ResourceQuota,
  Role,
  RoleBinding,
  RuntimeClass,
  Secret,
  ServiceAccount,
} from '@kedge/model/k8s-types';
import { aged, type Column, count, flag, joined, named, nameColumn, none, text } from './cells.ts';

const sizeOf = (map: object | undefined): number => Object.keys(map ?? {}).length;

export const namespaceColumns: Column<Namespace>[] = named([
  text('Status', ({ status }) => status?.phase ?? ''),
  aged(),
]);

export const configMapColumns: Column<ConfigMap>[] = named([
  count('Data', ({ data, binaryData }) => sizeOf(data) + sizeOf(binaryData)),
  aged(),
]);

export const secretColumns: Column<Secret>[] = named([
  text('Type', ({ type }) => type ?? ''),
  count('Data', ({ data }) => sizeOf(data)),
  aged(),
]);

export const serviceAccountColumns: Column<ServiceAccount>[] = named([
  count('Secrets', ({ secrets }) => secrets?.length),
  aged(),
]);

export const leaseColumns: Column<Lease>[] = named([text('Holder', ({ spec }) => spec?.holderIdentity ?? ''), aged()]);

const lower = (word: string | undefined): string => (word ?? '').toLowerCase();

export const eventColumns: Column<Event>[] = [
  text('Last Seen', (event, now) => {
    const first = event.firstTimestamp ?? event.eventTime;
    const last = event.series?.lastObservedTime ?? event.lastTimestamp ?? first;
    return age(parseTime(last) === undefined ? event.metadata?.creationTimestamp : last, now);
  }),
  text('Type', ({ type }) => type ?? ''),
  text('Reason', ({ reason }) => reason ?? ''),
  text('Object', ({ involvedObject: of }) => (of?.kind ? `${lower(of.kind)}/${of.name ?? ''}` : (of?.name ?? ''))),
  text('Subobject', ({ involvedObject }) => involvedObject?.fieldPath ?? '', 1),
  text(
    'Source',
    ({ source, reportingComponent }) => joined([source?.component || reportingComponent, source?.host], ', '),
    1,
  ),
  text('Message', ({ message }) => (message ?? '').trim()),
  text(
    'First Seen',
    (event, now) => age(event.firstTimestamp ?? event.eventTime ?? event.metadata?.creationTimestamp, now),
    1,
  ),
  count('Count', (event) => event.series?.count ?? event.count ?? 1, 1),
  { ...(nameColumn as unknown as Column<Event>), priority: 1 },
];

export const eventsV1Columns: Column<EventsV1Event>[] = [
  text('Last Seen', (event, now) =>
    age(
      event.series?.lastObservedTime ??
        event.deprecatedLastTimestamp ??
        event.eventTime ??
        event.metadata?.creationTimestamp,
      now,
    ),
  ),
  text('Type', ({ type }) => type ?? ''),
  text('Reason', ({ reason }) => reason ?? ''),
  text('Object', ({ regarding: of }) => `${lower(of?.kind)}/${of?.name ?? ''}`),
  text('Message', ({ note }) => (note ?? '').trim()),
];

export const roleColumns: Column<Role>[] = named([
  { name: 'Created At', type: 'date', cell: ({ metadata }) => metadata?.creationTimestamp ?? null },
]);
export const clusterRoleColumns = roleColumns as unknown as Column<ClusterRole>[];

const bindingColumns = <T extends RoleBinding | ClusterRoleBinding>(): Column<T>[] => {
  const subjects = (object: T, kind: string): string =>
    (object.subjects ?? [])
      .filter((subject) => subject.kind === kind)
      .map(({ namespace, name }) => (kind === 'ServiceAccount' ? `${namespace ?? ''}/${name}` : name))
      .join(', ');
  return named([
    text('Role', ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
    aged(),
    text('Users', (object) => subjects(object, 'User'), 1),
    text('Groups', (object) => subjects(object, 'Group'), 1),
    text('ServiceAccounts', (object) => subjects(object, 'ServiceAccount'), 1),
  ]);
};
export const roleBindingColumns = bindingColumns<RoleBinding>();
export const clusterRoleBindingColumns = bindingColumns<ClusterRoleBinding>();

const shortModes: Readonly<Record<string, string>> = {
  ReadWriteOnce: 'RWO',
  ReadOnlyMany: 'ROX',
  ReadWriteMany: 'RWX',
  ReadWriteOncePod: 'RWOP',
};
const modes = (all: readonly string[] | undefined): string =>
  (all ?? []).map((mode) => shortModes[mode] ?? mode).join(',');

export const volumeColumns: Column<PersistentVolume>[] = named([
  text('Capacity', ({ spec }) => spec?.capacity?.['storage'] ?? ''),
  text('Access Modes', ({ spec }) => modes(spec?.accessModes)),
  text('Reclaim Policy', ({ spec }) => spec?.persistentVolumeReclaimPolicy ?? ''),
  text('Status', ({ metadata, status }) => (metadata?.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''))),
  text('Claim', ({ spec }) => (spec?.claimRef ? `${spec.claimRef.namespace ?? ''}/${spec.claimRef.name ?? ''}` : '')),
  text('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
  text('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
  text('Reason', ({ status }) => status?.reason ?? ''),
  aged(),
  text('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>', 1),
]);

export const volumeClaimColumns: Column<PersistentVolumeClaim>[] = named([
  text('Status', ({ metadata, status }) => (metadata?.deletionTimestamp ? 'Terminating' : (status?.phase ?? ''))),
  text('Volume', ({ spec }) => spec?.volumeName ?? ''),
  text('Capacity', ({ spec, status }) => (spec?.volumeName ? (status?.capacity?.['storage'] ?? '') : '')),
  text('Access Modes', ({ spec, status }) => (spec?.volumeName ? modes(status?.accessModes) : '')),
  text('StorageClass', ({ spec }) => spec?.storageClassName ?? ''),
  text('VolumeAttributesClass', ({ spec }) => spec?.volumeAttributesClassName ?? '<unset>'),
  aged(),
  text('VolumeMode', ({ spec }) => spec?.volumeMode ?? '<unset>', 1),
]);

export const priorityClassColumns: Column<PriorityClass>[] = named([
  count('Value', ({ value }) => value),
  flag('Global-Default', ({ globalDefault }) => globalDefault),
  aged(),
  text('PreemptionPolicy', ({ preemptionPolicy }) => preemptionPolicy ?? 'PreemptLowerPriority'),
]);

export const runtimeClassColumns: Column<RuntimeClass>[] = named([text('Handler', ({ handler }) => handler), aged()]);

export const certificateRequestColumns: Column<CertificateSigningRequest>[] = named([
  aged(),
  text('SignerName', ({ spec }) => spec.signerName),
  text('Requestor', ({ spec }) => spec.username ?? ''),
  text('RequestedDuration', ({ spec }) =>
    spec.expirationSeconds === undefined ? none : humanDuration(seconds(spec.expirationSeconds)),
  ),
  text('Condition', ({ status }) => {
    const types = new Set((status?.conditions ?? []).map(({ type }) => type));
    const words = [types.has('Denied') ? 'Denied' : types.has('Approved') ? 'Approved' : 'Pending'];
    if (types.has('Failed')) words.push('Failed');
    if (status?.certificate) words.push('Issued');
    return words.join(',');
  }),
]);

/** Kinds that upstream prints without columns of their own. */
const createdAt = { name: 'Created At', type: 'date' } as const;
export const limitRangeColumns: Column<LimitRange>[] = named([
  { ...createdAt, cell: ({ metadata }) => metadata?.creationTimestamp ?? null },
]);

export const resourceQuotaColumns: Column<ResourceQuota>[] = named([
  text('Request', (quota) => quotaText(quota, (name) => !name.startsWith('limits.'))),
  text('Limit', (quota) => quotaText(quota, (name) => name.startsWith('limits.'))),
  aged(),
]);

const quotaText = ({ status }: ResourceQuota, isWanted: (name: string) => boolean): string =>
  Object.entries(status?.hard ?? {})
    .filter(([name]) => isWanted(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, hard]) => `${name}: ${status?.used?.[name] ?? '0'}/${hard}`)
    .join(', ');

export const definitionColumns: Column<CustomResourceDefinition>[] = named([
  { name: 'Created At', type: 'date', cell: ({ metadata }) => metadata?.creationTimestamp ?? null },
]);
