// A pod that names a runtime class gets what the class says about its nodes and its overhead.
import { fail, type KubeObject } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { PodSpec, RuntimeClass, Toleration } from '@kedge/model/k8s-types';
import type { AdmissionStep } from './admission.ts';

export const runtimeClass = (read: (name: string) => KubeObject | undefined): AdmissionStep => ({
  name: 'RuntimeClass',
  admit({ operation, kind, subresource, object, name }) {
    if (operation !== 'create' || kind.collection !== 'pods' || subresource !== undefined) return;
    const spec = object?.['spec'] as PodSpec | undefined;
    if (!spec) return;
    const refuse = (why: string): never => {
      throw fail('Forbidden', `pods "${name}" is forbidden: ${why}`, { name, kind: 'pods' });
    };
    const wanted = spec.runtimeClassName;
    const found = wanted ? (read(wanted) as unknown as RuntimeClass | undefined) : undefined;
    if (wanted && !found) {
      refuse(`pod rejected: RuntimeClass "${wanted}" not found`);
    }
    const fixed = found?.overhead?.podFixed;
    if (spec.overhead && !fixed)
      refuse('pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
    if (fixed && spec.overhead && !jsonEqual(spec.overhead, fixed))
      refuse("pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    if (fixed) spec.overhead = { ...fixed };
    const { nodeSelector = {}, tolerations = [] } = found?.scheduling ?? {};
    for (const [key, value] of Object.entries(nodeSelector)) {
      const own = spec.nodeSelector?.[key];
      if (own !== undefined && own !== value)
        refuse(
          `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
        );
      spec.nodeSelector = { ...spec.nodeSelector, [key]: value };
    }
    const missing = tolerations.filter((one: Toleration) => !spec.tolerations?.some((other) => jsonEqual(one, other)));
    if (missing.length > 0) spec.tolerations = [...(spec.tolerations ?? []), ...missing];
  },
});
