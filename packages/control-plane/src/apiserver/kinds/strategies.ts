// The built-in kinds that need more than the generic path, by collection.
import type { Namespace, Pod } from '@kedge/model/k8s-types';
import { customResourceDefinitions } from './crd-strategy.ts';
import { plainStrategy, type Strategy } from './strategy.ts';

const generational = [
  'deployments.apps',
  'daemonsets.apps',
  'replicasets.apps',
  'statefulsets.apps',
  'replicationcontrollers',
  'jobs.batch',
  'cronjobs.batch',
  'ingresses.networking.k8s.io',
  'ingressclasses.networking.k8s.io',
  'networkpolicies.networking.k8s.io',
  'poddisruptionbudgets.policy',
  'endpointslices.discovery.k8s.io',
  'mutatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingwebhookconfigurations.admissionregistration.k8s.io',
  'validatingadmissionpolicies.admissionregistration.k8s.io',
  'validatingadmissionpolicybindings.admissionregistration.k8s.io',
  'priorityclasses.scheduling.k8s.io',
  'csidrivers.storage.k8s.io',
];

const createdByPut = [
  'endpoints',
  'leases.coordination.k8s.io',
  'events',
  'limitranges',
  'roles.rbac.authorization.k8s.io',
  'clusterroles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
  'clusterrolebindings.rbac.authorization.k8s.io',
];

const table: Readonly<Record<string, Partial<Strategy>>> = {
  namespaces: {
    statusCarriesMetadata: true,
    isHeld: (object) => ((object as Namespace).spec?.finalizers ?? []).length > 0,
  },
  nodes: { statusCarriesMetadata: true },
  pods: {
    statusCarriesMetadata: true,
    // A pod on a node goes when its kubelet says so; one that never got there, or has ended, goes at once.
    grace(object, asked) {
      const { spec, status } = object as unknown as Pod;
      const hasEnded = status?.phase === 'Succeeded' || status?.phase === 'Failed';
      return !spec?.nodeName || hasEnded ? 0 : (asked ?? spec.terminationGracePeriodSeconds ?? 30);
    },
  },
  'certificatesigningrequests.certificates.k8s.io': {
    // What was asked for stays: an approval must not be moved to other content.
    finishUpdate: (object, before) => ({ ...object, spec: before['spec'] }),
  },
  'customresourcedefinitions.apiextensions.k8s.io': customResourceDefinitions,
};

export const strategyOf = (collection: string): Strategy => ({
  ...plainStrategy,
  countsGenerations: generational.includes(collection),
  createsOnUpdate: createdByPut.includes(collection),
  ...table[collection],
});
