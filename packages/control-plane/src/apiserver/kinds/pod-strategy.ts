// Pods: quality of service, what may change once they exist, and deletion that waits for the kubelet.
import { forbiddenField, type KubeObject, qosClass } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import type { Container, Pod, PodSpec, Toleration } from '@kedge/model/k8s-types';
import type { Strategy } from './strategy.ts';

const specOf = (object: KubeObject): PodSpec => (object['spec'] ?? { containers: [] }) as PodSpec;

export const pods: Partial<Strategy> = {
  statusCarriesMetadata: true,
  prepareCreate(object) {
    object['status'] = { phase: 'Pending', qosClass: qosClass(object) };
  },
  check(object, before) {
    if (!before || jsonEqual(frozenPart(specOf(object)), frozenPart(specOf(before)))) {
      return before ? checkTolerations(specOf(object), specOf(before)) : [];
    }
    return [
      forbiddenField(
        'spec',
        'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,' +
          '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),' +
          '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
      ),
    ];
  },
  grace(object, asked) {
    const pod = object as unknown as Pod;
    const isBound = Boolean(pod.spec?.nodeName);
    const hasEnded = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (!isBound || hasEnded) return 0;
    return asked ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
  },
};

/** The spec without what may change. */
function frozenPart(spec: PodSpec): unknown {
  const withoutImage = ({ image: _, resources: __, resizePolicy: ___, ...rest }: Container): unknown => rest;
  const {
    activeDeadlineSeconds: _,
    tolerations: __,
    terminationGracePeriodSeconds: ___,
    schedulingGates: ____,
    ...rest
  } = spec;
  return {
    ...rest,
    containers: (spec.containers ?? []).map(withoutImage),
    initContainers: (spec.initContainers ?? []).map(withoutImage),
  };
}

function checkTolerations(spec: PodSpec, before: PodSpec) {
  const kept = (before.tolerations ?? []).every((old: Toleration) =>
    (spec.tolerations ?? []).some((now) =>
      jsonEqual({ ...now, tolerationSeconds: 0 }, { ...old, tolerationSeconds: 0 }),
    ),
  );
  return kept
    ? []
    : [forbiddenField('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')];
}
