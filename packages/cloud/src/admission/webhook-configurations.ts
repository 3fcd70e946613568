// What the API is to know of our webhooks: names, paths, rules and policies as upstream has them.
import { encodeBase64 } from '@kedge/engine/identity-cloud';
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
  WebhookClientConfig,
} from '@kedge/model/k8s-types';

/** How the API reaches us. */
export type WebhookPlace =
  | { readonly by: 'url'; readonly url: string }
  | { readonly by: 'service'; readonly namespace: string; readonly name: string; readonly port: number };

export const webhookPaths = {
  devices: '/devices',
  deviceModels: '/devicemodels',
  rules: '/rules',
  ruleEndpoints: '/ruleendpoints',
  upgradeJobs: '/nodeupgradejobs',
  upgradeJobDefaults: '/mutating/nodeupgradejobs',
  offlineMigration: '/offlinemigration',
  /** Ours: of devices and models between their versions. */
  conversion: '/convert',
} as const;

const written = ['CREATE', 'UPDATE'];
const anyChange = ['CREATE', 'UPDATE', 'DELETE'];

/**
 * Every report of a device is a write of its status. Asking about those would double their cost and could change nothing.
 */
const isSpecTouched = {
  name: 'spec-is-touched',
  expression: '!has(object.spec) || oldObject == null || !has(oldObject.spec) || object.spec != oldObject.spec',
};

export type WebhookConfiguration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

/** What a CustomResourceDefinition is to know of it. */
export const conversionBy = (place: WebhookPlace, caPem: string) => ({
  strategy: 'Webhook',
  webhook: { clientConfig: clientAt(place, caPem, webhookPaths.conversion), conversionReviewVersions: ['v1'] },
});

export const convertedDefinitions = ['devices.devices.kubeedge.io', 'devicemodels.devices.kubeedge.io'] as const;

function clientAt(place: WebhookPlace, caPem: string, path: string): WebhookClientConfig {
  const caBundle = encodeBase64(new TextEncoder().encode(caPem));
  if (place.by === 'url') return { url: `${place.url}${path}`, caBundle };
  return { service: { namespace: place.namespace, name: place.name, port: place.port, path }, caBundle };
}

export function webhookConfigurations(place: WebhookPlace, caPem: string): WebhookConfiguration[] {
  const clientConfig = (path: string): WebhookClientConfig => clientAt(place, caPem, path);
  const common = { sideEffects: 'None', admissionReviewVersions: ['v1'], timeoutSeconds: 10 };
  const rule = (group: string, version: string, resource: string, operations: string[], scope: string) => [
    { apiGroups: [group], apiVersions: [version], resources: [resource], operations, scope },
  ];
  const device = (name: string, path: string, resource: string): ValidatingWebhook => ({
    name,
    clientConfig: clientConfig(path),
    rules: rule('devices.kubeedge.io', 'v1beta1', resource, written, 'Namespaced'),
    failurePolicy: 'Ignore',
    // Nobody reports of a model, and its rules are an annotation.
    ...(resource === 'devices' ? { matchConditions: [isSpecTouched] } : {}),
    ...common,
  });
  const strict = (name: string, path: string, rules: ReturnType<typeof rule>): ValidatingWebhook => ({
    name,
    clientConfig: clientConfig(path),
    rules,
    failurePolicy: 'Fail',
    ...common,
  });
  const upgradeJobs = (operations: string[]) =>
    rule('operations.kubeedge.io', 'v1alpha1', 'nodeupgradejobs', operations, 'Cluster');
  const offline: MutatingWebhook = {
    name: 'mutateofflinemigration.kubeedge.io',
    clientConfig: clientConfig(webhookPaths.offlineMigration),
    rules: rule('', 'v1', 'pods', written, 'Namespaced'),
    objectSelector: { matchLabels: { 'app-offline.kubeedge.io': 'autonomy' } },
    failurePolicy: 'Ignore',
    ...common,
  };
  const defaults: MutatingWebhook = {
    name: 'mutatingnodeupgradejob.kubeedge.io',
    clientConfig: clientConfig(webhookPaths.upgradeJobDefaults),
    rules: upgradeJobs(written),
    failurePolicy: 'Ignore',
    ...common,
  };
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const rules = (resource: string) => rule('rules.kubeedge.io', 'v1', resource, anyChange, 'Namespaced');
  return [
    {
      apiVersion,
      kind: 'ValidatingWebhookConfiguration',
      metadata: { name: 'kubeedge-crds-validate-webhook-configuration' },
      webhooks: [
        device('validatedevice.kubeedge.io', webhookPaths.devices, 'devices'),
        device('validatedevicemodel.kubeedge.io', webhookPaths.deviceModels, 'devicemodels'),
        strict('validatedrule.kubeedge.io', webhookPaths.rules, rules('rules')),
        strict('validatedruleendpoint.kubeedge.io', webhookPaths.ruleEndpoints, rules('ruleendpoints')),
        strict('validatenodeupgradejob.kubeedge.io', webhookPaths.upgradeJobs, upgradeJobs(anyChange)),
      ],
    },
    {
      apiVersion,
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'mutate-offlinemigration' },
      webhooks: [offline],
    },
    {
      apiVersion,
      kind: 'MutatingWebhookConfiguration',
      metadata: { name: 'kubeedge-mutating-webhook' },
      webhooks: [defaults],
    },
  ];
}
