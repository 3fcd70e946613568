// An ingress that names no class gets the default one, if there is one.
import type { Ingress, IngressClass } from '@kedge/model/k8s-types';
import type { AdmissionStep } from './admission.ts';

const mark = 'ingressclass.kubernetes.io/is-default-class';
const oldClass = 'kubernetes.io/ingress.class';

export const defaultIngressClass = (classes: () => readonly IngressClass[]): AdmissionStep => ({
  name: 'DefaultIngressClass',
  admit({ operation, kind, subresource, object }) {
    if (operation !== 'create' || kind.collection !== 'ingresses.networking.k8s.io' || subresource || !object) return;
    const { metadata, spec } = object as unknown as Ingress;
    if (!spec || spec.ingressClassName !== undefined || metadata.annotations?.[oldClass] !== undefined) return;
    // Of several the newest, then the first by name, as upstream has it.
    const [chosen] = classes()
      .filter((one) => one.metadata.annotations?.[mark] === 'true')
      .toSorted(
        (a, b) =>
          (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') ||
          (a.metadata.name ?? '').localeCompare(b.metadata.name ?? ''),
      );
    if (chosen?.metadata.name) spec.ingressClassName = chosen.metadata.name;
  },
});
