// Claims and volumes are not removed while somebody uses them: each is born with the finalizer that a controller takes away
// once nobody does. And a claim grows only where its storage class allows that.
import { fail } from '@kedge/model/k8s';
import { compareQuantities, quantity } from '@kedge/model/k8s-quantity';
import type { PersistentVolumeClaim, StorageClass } from '@kedge/model/k8s-types';
import type { AdmissionStep } from './admission.ts';

const finalizers: Readonly<Record<string, string>> = {
  persistentvolumeclaims: 'kubernetes.io/pvc-protection',
  persistentvolumes: 'kubernetes.io/pv-protection',
};

export const storageProtection: AdmissionStep = {
  name: 'StorageObjectInUseProtection',
  admit({ operation, kind, subresource, object }) {
    const finalizer = finalizers[kind.collection];
    if (operation !== 'create' || subresource !== undefined || finalizer === undefined || !object) return;
    const { finalizers: have = [] } = object.metadata;
    if (!have.includes(finalizer)) object.metadata.finalizers = [...have, finalizer];
  },
};

const oldClass = 'volume.beta.kubernetes.io/storage-class';
const classOf = ({ metadata, spec }: PersistentVolumeClaim): string =>
  metadata.annotations?.[oldClass] ?? spec?.storageClassName ?? '';
const sizeOf = ({ spec }: PersistentVolumeClaim): string => spec?.resources?.requests?.['storage'] ?? '0';

export const claimResize = (classes: () => readonly StorageClass[]): AdmissionStep => ({
  name: 'PersistentVolumeClaimResize',
  validate({ operation, kind, subresource, object, before, name }) {
    if (operation !== 'update' || kind.collection !== 'persistentvolumeclaims' || subresource !== undefined) return;
    const [claim, old] = [object, before] as unknown as [PersistentVolumeClaim, PersistentVolumeClaim];
    if (compareQuantities(quantity(sizeOf(claim)), quantity(sizeOf(old))) <= 0) return;
    const refuse = (why: string): never => {
      const details = { name, kind: 'persistentvolumeclaims' };
      throw fail('Forbidden', `persistentvolumeclaims "${name}" is forbidden: ${why}`, details);
    };
    if (old.status?.phase !== 'Bound') refuse('only bound persistent volume claims can be expanded');
    const storageClass = classes().find(({ metadata }) => metadata.name !== '' && metadata.name === classOf(claim));
    if (classOf(claim) !== classOf(old) || storageClass?.allowVolumeExpansion !== true) {
      refuse(
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      );
    }
  },
});
