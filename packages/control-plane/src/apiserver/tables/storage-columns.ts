// How the kinds of storage.k8s.io are printed.
import type { CSIDriver, CSINode, CSIStorageCapacity, StorageClass, VolumeAttachment } from '@kedge/model/k8s-types';
import { aged, type Column, count, flag, joined, named, nameColumn, text } from './cells.ts';

export const storageClassColumns: Column<StorageClass>[] = [
  {
    ...(nameColumn as unknown as Column<StorageClass>),
    cell: ({ metadata }) =>
      metadata?.annotations?.['storageclass.kubernetes.io/is-default-class'] === 'true'
        ? `${metadata.name} (default)`
        : metadata?.name,
  },
  text('Provisioner', ({ provisioner }) => provisioner),
  text('ReclaimPolicy', ({ reclaimPolicy }) => reclaimPolicy ?? 'Delete'),
  text('VolumeBindingMode', ({ volumeBindingMode }) => volumeBindingMode ?? 'Immediate'),
  flag('AllowVolumeExpansion', ({ allowVolumeExpansion }) => allowVolumeExpansion),
  aged(),
];

export const driverColumns: Column<CSIDriver>[] = named([
  flag('AttachRequired', ({ spec }) => spec.attachRequired ?? true),
  flag('PodInfoOnMount', ({ spec }) => spec.podInfoOnMount),
  flag('StorageCapacity', ({ spec }) => spec.storageCapacity),
  text('TokenRequests', ({ spec }) => spec.tokenRequests?.map(({ audience }) => audience).join(',') ?? '<unset>'),
  flag('RequiresRepublish', ({ spec }) => spec.requiresRepublish),
  text('Modes', ({ spec }) => joined(spec.volumeLifecycleModes)),
  aged(),
]);

export const driverNodeColumns: Column<CSINode>[] = named([
  count('Drivers', ({ spec }) => spec.drivers?.length),
  aged(),
]);

export const capacityColumns: Column<CSIStorageCapacity>[] = named([
  text('StorageClassName', ({ storageClassName }) => storageClassName),
  text('Capacity', ({ capacity }) => capacity ?? '<unset>'),
]);

export const attachmentColumns: Column<VolumeAttachment>[] = named([
  text('Attacher', ({ spec }) => spec.attacher),
  text('PV', ({ spec }) => spec.source.persistentVolumeName ?? ''),
  text('Node', ({ spec }) => spec.nodeName),
  flag('Attached', ({ status }) => status?.attached),
  aged(),
]);
