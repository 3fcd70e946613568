// The built-in kinds that need more than the generic path, by collection.
import { invalidField, type KubeObject } from '@kedge/model/k8s';
import { jsonEqual } from '@kedge/model/k8s-patch';
import { toTime } from '@kedge/core/time';
import { customResourceDefinitions } from './crd-strategy.ts';
import { pods } from './pod-strategy.ts';
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

const namespaces: Partial<Strategy> = {
  statusCarriesMetadata: true,
  prepareCreate(object) {
    object['spec'] = { finalizers: ['kubernetes'] };
    object['status'] = { phase: 'Active' };
    const { metadata } = object;
    metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name ?? '' };
  },
  prepareUpdate(object, before) {
    // Only the finalize subresource lets a namespace go.
    object['spec'] = before['spec'];
  },
  isHeld: (object) => ((object['spec'] as { finalizers?: string[] } | undefined)?.finalizers ?? []).length > 0,
};

const nodes: Partial<Strategy> = { statusCarriesMetadata: true };

const secrets: Partial<Strategy> = {
  prepareCreate: fillSecret,
  prepareUpdate(object, before) {
    fillSecret(object);
    object['type'] ??= before['type'];
  },
  check(object, before) {
    if (!before) return [];
    const typeChanged = object['type'] !== before['type'];
    return [
      ...(typeChanged ? [invalidField('type', object['type'], 'field is immutable')] : []),
      ...immutableData(object, before),
    ];
  },
};

function fillSecret(object: KubeObject): void {
  const plain = object['stringData'] as Record<string, string> | undefined;
  if (plain) {
    const encoded = Object.entries(plain).map(([key, text]) => [key, base64(text)] as const);
    object['data'] = { ...(object['data'] as Record<string, string> | undefined), ...Object.fromEntries(encoded) };
    delete object['stringData'];
  }
  object['type'] ??= 'Opaque';
}

function base64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}

const immutableData = (object: KubeObject, before: KubeObject) =>
  before['immutable'] === true
    ? ['data', 'binaryData', 'immutable']
        .filter((field) => !jsonEqual(object[field], before[field]))
        .map((field) => invalidField(field, '', 'field is immutable when `immutable` is set'))
    : [];

const configMaps: Partial<Strategy> = {
  check: (object, before) => (before ? immutableData(object, before) : []),
};

const jobs: Partial<Strategy> = {
  prepareCreate(object) {
    const spec = object['spec'] as { manualSelector?: boolean; selector?: unknown; template?: KubeObject } | undefined;
    if (!spec || spec.manualSelector) return;
    const uid = object.metadata.uid ?? '';
    spec.selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } };
    const template = (spec.template ??= { metadata: {} });
    template.metadata = {
      ...template.metadata,
      labels: {
        ...template.metadata?.labels,
        'batch.kubernetes.io/controller-uid': uid,
        'batch.kubernetes.io/job-name': object.metadata.name ?? '',
        'controller-uid': uid,
        'job-name': object.metadata.name ?? '',
      },
    };
  },
};

const certificateRequests: Partial<Strategy> = {
  prepareUpdate(object, before) {
    // What was asked for stays: an approval must not be moved to other content.
    object['spec'] = before['spec'];
  },
};

const volumes: Partial<Strategy> = {
  prepareCreate(object, { now }) {
    object['status'] = {
      phase: 'Pending',
      ...(object.kind === 'PersistentVolume' ? { lastPhaseTransitionTime: toTime(now) } : {}),
    };
  },
};

const table: Readonly<Record<string, Partial<Strategy>>> = {
  namespaces,
  nodes,
  pods,
  secrets,
  configmaps: configMaps,
  persistentvolumes: volumes,
  persistentvolumeclaims: volumes,
  'jobs.batch': jobs,
  'certificatesigningrequests.certificates.k8s.io': certificateRequests,
  'customresourcedefinitions.apiextensions.k8s.io': customResourceDefinitions,
};

export const strategyOf = (collection: string): Strategy => ({
  ...plainStrategy,
  countsGenerations: generational.includes(collection),
  createsOnUpdate: createdByPut.includes(collection),
  ...table[collection],
});
