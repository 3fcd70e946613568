// The ReplicaSet a Deployment creates for a template it has not had before. Pure.
import type { Deployment, ReplicaSet } from '@kedge/model/k8s-types';
import { collections } from '@kedge/engine/kube-client';
import { controllerRef } from '../ownership/controller-ref.ts';
import { templateHash } from '../pods/template-hash.ts';
import { currentAnnotations, hashLabel, sizeAnnotations } from './revisions.ts';

export function newReplicaSet(
  deployment: Deployment,
  revision: number,
  collisionCount: number,
  replicas: number,
): ReplicaSet {
  const { metadata, spec } = deployment;
  const hash = templateHash(spec?.template, collisionCount);
  const template = spec?.template ?? {};
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  const selector = spec?.selector ?? {};
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${metadata.name}-${hash}`,
      ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
      labels,
      annotations: { ...currentAnnotations(deployment, undefined, revision), ...sizeAnnotations(deployment) },
      ownerReferences: [controllerRef(collections.deployments, deployment)],
    },
    spec: {
      replicas,
      ...(spec?.minReadySeconds ? { minReadySeconds: spec.minReadySeconds } : {}),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}
