// ReplicaSets.
import type { ReplicaSet, ReplicaSetSpec } from '../k8s-types/index.ts';
import { checkImmutable, checkNonNegative } from './checks.ts';
import { createRules } from './kind-rules.ts';
import { defaultPodTemplate } from '../k8s-defaults/index.ts';
import { checkLastingWorkload } from './pod-template.ts';

export const replicaSetRules = createRules<ReplicaSet>({
  defaults: ({ spec, ...rest }) => ({
    ...rest,
    spec: {
      ...(spec as ReplicaSetSpec),
      replicas: spec?.replicas ?? 1,
      template: defaultPodTemplate(spec?.template),
    },
  }),
  validate: ({ spec }) => [
    ...checkNonNegative(spec!.replicas, 'spec.replicas'),
    ...checkNonNegative(spec!.minReadySeconds, 'spec.minReadySeconds'),
    ...checkLastingWorkload({ selector: spec!.selector, template: spec!.template! }, 'ReplicaSet'),
  ],
  validateUpdate: ({ spec }, old) => checkImmutable(spec?.selector, old.spec?.selector, 'spec.selector'),
});
