// What the generator of the Kubernetes model needs and the OpenAPI document does not say: which groups are part of
// the model, how their files are called, and the short names and categories that kubectl users type.

/** Definition prefixes that become part of the model, with the file and the group version each stands for. */
export interface ModelGroup {
  readonly prefix: string;
  readonly file: string;
  readonly group: string;
  readonly version: string;
}

const api = (folder: string, group: string, version = 'v1'): ModelGroup => ({
  prefix: `io.k8s.api.${folder}.${version}.`,
  file: `${folder}-${version}`,
  group,
  version,
});

/** In order of precedence: where two groups share a type name, the first keeps it in the index. */
export const modelGroups: readonly ModelGroup[] = [
  { prefix: 'io.k8s.apimachinery.pkg.apis.meta.v1.', file: 'meta-v1', group: '', version: 'v1' },
  api('core', ''),
  api('apps', 'apps'),
  api('batch', 'batch'),
  api('autoscaling', 'autoscaling', 'v2'),
  api('autoscaling', 'autoscaling'),
  api('policy', 'policy'),
  api('networking', 'networking.k8s.io'),
  api('discovery', 'discovery.k8s.io'),
  api('coordination', 'coordination.k8s.io'),
  api('events', 'events.k8s.io'),
  api('rbac', 'rbac.authorization.k8s.io'),
  api('certificates', 'certificates.k8s.io'),
  api('storage', 'storage.k8s.io'),
  api('scheduling', 'scheduling.k8s.io'),
  api('node', 'node.k8s.io'),
  api('admissionregistration', 'admissionregistration.k8s.io'),
  {
    prefix: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.',
    file: 'apiextensions-v1',
    group: 'apiextensions.k8s.io',
    version: 'v1',
  },
  api('authentication', 'authentication.k8s.io'),
  api('authorization', 'authorization.k8s.io'),
];

/** Short names by `resource.group` (`resource` alone in the core group). */
export const shortNames: Readonly<Record<string, readonly string[]>> = {
  componentstatuses: ['cs'],
  configmaps: ['cm'],
  endpoints: ['ep'],
  events: ['ev'],
  limitranges: ['limits'],
  namespaces: ['ns'],
  nodes: ['no'],
  persistentvolumeclaims: ['pvc'],
  persistentvolumes: ['pv'],
  pods: ['po'],
  replicationcontrollers: ['rc'],
  resourcequotas: ['quota'],
  serviceaccounts: ['sa'],
  services: ['svc'],
  'customresourcedefinitions.apiextensions.k8s.io': ['crd', 'crds'],
  'daemonsets.apps': ['ds'],
  'deployments.apps': ['deploy'],
  'replicasets.apps': ['rs'],
  'statefulsets.apps': ['sts'],
  'horizontalpodautoscalers.autoscaling': ['hpa'],
  'cronjobs.batch': ['cj'],
  'certificatesigningrequests.certificates.k8s.io': ['csr'],
  'events.events.k8s.io': ['ev'],
  'ingresses.networking.k8s.io': ['ing'],
  'networkpolicies.networking.k8s.io': ['netpol'],
  'poddisruptionbudgets.policy': ['pdb'],
  'priorityclasses.scheduling.k8s.io': ['pc'],
  'storageclasses.storage.k8s.io': ['sc'],
};

/** Categories by `resource.group`. */
export const categories: Readonly<Record<string, readonly string[]>> = {
  pods: ['all'],
  replicationcontrollers: ['all'],
  services: ['all'],
  'daemonsets.apps': ['all'],
  'deployments.apps': ['all'],
  'replicasets.apps': ['all'],
  'statefulsets.apps': ['all'],
  'horizontalpodautoscalers.autoscaling': ['all'],
  'cronjobs.batch': ['all'],
  'jobs.batch': ['all'],
  'customresourcedefinitions.apiextensions.k8s.io': ['api-extensions'],
  'mutatingwebhookconfigurations.admissionregistration.k8s.io': ['api-extensions'],
  'validatingwebhookconfigurations.admissionregistration.k8s.io': ['api-extensions'],
  'validatingadmissionpolicies.admissionregistration.k8s.io': ['api-extensions'],
  'validatingadmissionpolicybindings.admissionregistration.k8s.io': ['api-extensions'],
};

/** Defaults that decide the identity of list elements; the version 2 document leaves them out. */
export const keyDefaults: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'io.k8s.api.core.v1.ContainerPort': { protocol: 'TCP' },
  'io.k8s.api.core.v1.ServicePort': { protocol: 'TCP' },
  'io.k8s.api.core.v1.LocalObjectReference': { name: '' },
};

/** Definitions whose published schema is narrower or vaguer than what the server reads. */
export const specialSchemas: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': { type: 'string', format: 'quantity' },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': { 'x-kubernetes-int-or-string': true },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  'io.k8s.apimachinery.pkg.apis.meta.v1.Patch': { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': { type: 'string', format: 'micro-time' },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': { 'x-kubernetes-preserve-unknown-fields': true },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray': {
    'x-kubernetes-preserve-unknown-fields': true,
  },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': {
    'x-kubernetes-preserve-unknown-fields': true,
  },
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': {
    'x-kubernetes-preserve-unknown-fields': true,
  },
};

/** TypeScript spellings of definitions that are not plain objects. */
export const specialTypes: Readonly<Record<string, string>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': 'string',
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': 'number | string',
  'io.k8s.apimachinery.pkg.runtime.RawExtension': 'Record<string, unknown>',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Time': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime': 'string',
  'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1': 'Record<string, unknown>',
  'io.k8s.apimachinery.pkg.apis.meta.v1.Patch': 'Record<string, unknown>',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON': 'unknown',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray':
    'JSONSchemaProps | JSONSchemaProps[]',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool': 'JSONSchemaProps | boolean',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray': 'JSONSchemaProps | string[]',
  'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus': 'Record<string, unknown>',
};

/** Meta types written by hand in the model's k8s folder, which the generated files import instead. */
export const handWritten: readonly string[] = [
  'ManagedFieldsEntry',
  'ObjectMeta',
  'OwnerReference',
  'Status',
  'StatusCause',
  'StatusDetails',
];

/** Values that fields have since later versions than the model's, by definition and field; the source of values is newer. */
export const newerValues: Readonly<Record<string, readonly string[]>> = {
  'io.k8s.api.core.v1.ResourceQuotaSpec.scopes': ['VolumeAttributesClass'],
  'io.k8s.api.core.v1.ScopedResourceSelectorRequirement.scopeName': ['VolumeAttributesClass'],
};
