// A claim that names no storage class gets the default one, if there is one.
import type { PersistentVolumeClaim, StorageClass } from '@kedge/model/k8s-types';
import type { AdmissionStep } from './admission.ts';

const marks = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];
const oldClass = 'volume.beta.kubernetes.io/storage-class';

export const defaultStorageClass = (classes: () => readonly StorageClass[]): AdmissionStep => ({
  name: 'DefaultStorageClass',
  admit({ operation, kind, subresource, object }) {
    if (operation !== 'create' || kind.collection !== 'persistentvolumeclaims' || subresource || !object) return;
    const { metadata, spec } = object as unknown as PersistentVolumeClaim;
    // An empty name means: none at all.
    if (!spec || spec.storageClassName !== undefined || metadata.annotations?.[oldClass] !== undefined) return;
    const defaults = classes().filter((one) => marks.some((mark) => one.metadata.annotations?.[mark] === 'true'));
    // Of several the newest, then the first by name, as upstream has it.
    const [chosen] = defaults.toSorted(
      (a, b) =>
        (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') ||
        (a.metadata.name ?? '').localeCompare(b.metadata.name ?? ''),
    );
    if (chosen?.metadata.name) spec.storageClassName = chosen.metadata.name;
  },
});
