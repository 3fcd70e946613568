// The objects behind the API: kinds, admission, reading and writing, custom resources; and what the server itself keeps up
// with as they change.
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Random, ReadRequest } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import type { ApiUser, ObjectApi } from '@kedge/engine/kube-api';
import { fail, type KubeObject } from '@kedge/model/k8s';
import type { BuiltinSchemas } from '@kedge/model/k8s-schema';
import type {
  ClusterRole,
  CustomResourceDefinition,
  IngressClass,
  PriorityClass,
  ResourceQuota,
  StorageClass,
} from '@kedge/model/k8s-types';
import { type Admission, joinAdmission, type MutatingWebhookStep, type AdmissionStep } from './admission/admission.ts';
import { certificateRequests } from './admission/certificate-requests.ts';
import { defaultIngressClass } from './admission/default-ingress-class.ts';
import { defaultStorageClass } from './admission/default-storage-class.ts';
import { noEscalation } from './admission/escalation.ts';
import { createExpressions } from './admission/expressions.ts';
import { limitRanges } from './admission/limit-ranges.ts';
import { demandNamespace, namespaceLifecycle } from './admission/namespace-lifecycle.ts';
import { nodeRestriction } from './admission/node-restriction.ts';
import { defaultTolerations, podPriority, serviceAccounts } from './admission/pod-admission.ts';
import { createPolicyAdmission } from './admission/policies/policy-admission.ts';
import { podSecurity } from './admission/pod-security/pod-security.ts';
import { type QuotaDeps, resourceQuotas } from './admission/resource-quotas.ts';
import { runtimeClass } from './admission/runtime-class.ts';
import { taintNewNodes } from './admission/node-taints.ts';
import type { ServiceAddresses } from './admission/service-addresses.ts';
import { claimResize, storageProtection } from './admission/storage-protection.ts';
import { webhookConditions } from './admission/webhooks/check-conditions.ts';
import { createWebhookAdmission } from './admission/webhooks/webhook-admission.ts';
import { createWebhookConfigurations } from './admission/webhooks/webhook-configurations.ts';
import { createApiObjects } from './api-objects.ts';
import type { Security } from './api-security.ts';
import { createSubresources } from './api-subresources.ts';
import { definitionStatus } from './crds/definition-status.ts';
import { createRoleAggregation } from './authz/aggregate-roles.ts';
import { createDefinitions } from './crds/definitions.ts';
import { customResourceRules } from './crds/rule-admission.ts';
import { createKindCatalog, type KindCatalog } from './kinds/kind-catalog.ts';
import type { Kind } from './kinds/kind.ts';
import type { Collections } from './objects/collections.ts';
import type { ObjectStore } from './objects/object-store.ts';
import { readFields, withDefaults } from './objects/field-rules.ts';
import { createObjectReader } from './objects/read-objects.ts';
import { createRemover } from './objects/remove-objects.ts';
import { createObjectWriter, systemWrite } from './objects/write-objects.ts';
import { createWholeObjects } from './objects/whole-objects.ts';
import { createWebhookClient, type OpenHttpClient } from './webhooks/webhook-client.ts';
import { createPublishedDefinitions, type PublishedDefinitions } from './open-api-definitions.ts';

export interface ServedObjectsDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly store: ObjectStore;
  readonly collections: Collections;
  readonly schemas: BuiltinSchemas;
  readonly services: ServiceAddresses;
  readonly security: Security;
  readonly system: ApiUser;
  readonly openHttpClient: OpenHttpClient;
  /** Reads a certificate request in PEM. */
  readonly readRequest: (pem: string) => Promise<ReadRequest>;
}

export interface ServedObjects {
  readonly kinds: KindCatalog;
  readonly published: PublishedDefinitions;
  readonly objects: ObjectApi;
  /** One of the built-in objects of the core group; throws NotFound. */
  read(resource: string, namespace: string, name: string): KubeObject;
  /** Takes in what an earlier run has stored; before the first request. */
  load(): void;
  start(scope: Scope): void;
}

const definitionCollection = 'customresourcedefinitions.apiextensions.k8s.io';

export function createServedObjects(deps: ServedObjectsDeps): ServedObjects {
  const { clock, log, random, store, collections, schemas, services, security, system } = deps;
  const kinds = createKindCatalog(schemas);
  const published = createPublishedDefinitions(schemas);
  const webhookClient = createWebhookClient({ clock, openHttpClient: deps.openHttpClient, read: collections.get });
  const configurations = createWebhookConfigurations(collections.all);
  const readNamespace = (name: string) => collections.get('namespaces', '', name);
  const expressions = createExpressions({ authorizer: security.authorizer, readNamespace });
  const formsOf = createForms(kinds);
  let isRunning = false;
  const webhooks = createWebhookAdmission({
    log,
    random,
    client: webhookClient,
    configurations,
    readNamespace,
    formsOf,
    asks: ({ user }) => isRunning || user.name !== system.name,
    meets: expressions.meets,
    reread: (kind, object, call) => withDefaults(kind, readFields(kind, object, systemWrite, call)),
  });
  const policies = createPolicyAdmission({
    expressions,
    readNamespace,
    formsOf,
    all: collections.all,
    kindOf: (apiVersion, name) =>
      [...kinds.kinds()].find((one) => one.apiVersion === apiVersion && one.served.kind === name),
    paramsIn: (kind, namespace) =>
      namespace === undefined ? collections.all(kind.collection) : collections.in(kind.collection, namespace),
  });
  const rules = customResourceRules();
  const conditions = webhookConditions(expressions);
  const admission = createAdmission(deps, chargeQuota, { ...webhooks, policies, conditions, rules: rules.step });

  function onWritten(kind: Kind, before: KubeObject | undefined, after: KubeObject | undefined): void {
    if (kind.collection === 'services') services.settle(before, after);
    else if (kind.collection === definitionCollection) settleDefinition(before, after);
    else if (kind.served.group === 'rbac.authorization.k8s.io') {
      security.rbac.forget();
      if (kind.served.resource === 'clusterroles') aggregation.wake();
    } else if (kind.served.group === 'admissionregistration.k8s.io') {
      configurations.forget();
      policies.forget();
    }
  }
  function settleDefinition(before: KubeObject | undefined, after: KubeObject | undefined): void {
    definitions.settle(before, after);
    published.setCustom((after ?? before)?.metadata.name ?? '', after as CustomResourceDefinition | undefined);
  }
  const clusterRoles = kinds.builtin({ group: 'rbac.authorization.k8s.io', version: 'v1', resource: 'clusterroles' });
  const aggregation = createRoleAggregation({
    clock,
    log,
    clusterRoles: () => collections.all<ClusterRole>(clusterRoles.collection),
    async write(name, rules, signal) {
      const change = { kind: clusterRoles, namespace: undefined, name, part: 'main', manages: 'update' } as const;
      const make = (before: KubeObject): KubeObject => ({ ...before, rules });
      await writer.change({ ...change, make }, systemWrite, { user: system, signal, warn: () => undefined });
    },
  });
  async function chargeQuota(...[namespace, name, make, call]: Parameters<QuotaDeps['charge']>): Promise<void> {
    const kind = kinds.builtin({ group: '', version: 'v1', resource: 'resourcequotas' });
    const charged = (before: KubeObject): KubeObject => ({
      ...before,
      status: make(before as unknown as ResourceQuota),
    });
    const change = { kind, namespace, name, subresource: 'status', part: 'status', manages: 'update' } as const;
    await writer.change({ ...change, make: charged }, systemWrite, call);
  }
  function checkCreate(kind: Kind, namespace: string | undefined): void {
    if (kind.isCustom) demandDefinition(kind, collections.get(definitionCollection, '', kind.collection));
    if (namespace === undefined) return;
    demandNamespace(namespace, (name) => collections.get('namespaces', '', name), kind.served.resource);
  }

  const whole = createWholeObjects();
  const reader = createObjectReader(store, whole);
  const writer = createObjectWriter({
    store,
    whole,
    clock,
    random,
    admission,
    onWritten,
    checkCreate,
    ruleErrors: rules.errors,
  });
  const remove = createRemover({ store, whole, clock, admission, onWritten });
  const definitions = createDefinitions({
    clock,
    log,
    kinds,
    store,
    writer,
    remove,
    definitionKind: kinds.builtin({
      group: 'apiextensions.k8s.io',
      version: 'v1',
      resource: 'customresourcedefinitions',
    }),
    objectMeta: schemas.ofKind('v1', 'Pod')!.properties!['metadata']!,
    system,
    conversion: { random, client: webhookClient },
    definitions: () => collections.all<CustomResourceDefinition>(definitionCollection),
  });
  const special = createSubresources({ clock, random, kinds, collections, reader, writer, remove, security });
  return {
    kinds,
    published,
    read: (resource, namespace, name) =>
      reader.get(kinds.builtin({ group: '', version: 'v1', resource }), namespace, name).object,
    objects: createApiObjects({ clock, kinds, reader, writer, remove, admission, ...special }),
    load() {
      for (const service of collections.all<KubeObject>('services')) services.settle(undefined, service);
      for (const definition of collections.all<KubeObject>(definitionCollection))
        settleDefinition(undefined, definition);
    },
    start(scope) {
      isRunning = true;
      scope.defer('connections to webhooks', () => webhookClient.close());
      definitions.start(scope);
      scope.spawn('aggregated roles', (signal) => aggregation.run(signal));
    },
  };
}

/** In the order in which they see a request. */
const createAdmission = (
  { clock, random, collections, services, security, readRequest }: ServedObjectsDeps,
  charge: QuotaDeps['charge'],
  webhooks: {
    readonly mutating: MutatingWebhookStep;
    readonly validating: AdmissionStep;
    readonly policies: AdmissionStep;
    readonly conditions: AdmissionStep;
    readonly rules: AdmissionStep;
  },
): Admission =>
  joinAdmission(
    [
      namespaceLifecycle((name) => collections.get('namespaces', '', name)),
      nodeRestriction({
        readPod: (namespace, name) => collections.get('pods', namespace, name),
        readNode: (name) => collections.get('nodes', '', name),
      }),
      noEscalation({ authorizer: security.authorizer, rulesOf: security.rbac.rulesOf }),
      serviceAccounts({
        clock,
        random,
        readAccount: (namespace, name) => collections.get('serviceaccounts', namespace, name),
      }),
      podPriority(() => collections.all<PriorityClass>('priorityclasses.scheduling.k8s.io')),
      defaultTolerations,
      taintNewNodes,
      certificateRequests({ authorizer: security.authorizer, readRequest }),
      limitRanges((namespace) => collections.in('limitranges', namespace)),
      runtimeClass((name) => collections.get('runtimeclasses.node.k8s.io', '', name)),
      defaultIngressClass(() => collections.all<IngressClass>('ingressclasses.networking.k8s.io')),
      defaultStorageClass(() => collections.all<StorageClass>('storageclasses.storage.k8s.io')),
      storageProtection,
      claimResize(() => collections.all<StorageClass>('storageclasses.storage.k8s.io')),
      services.step,
      definitionStatus({
        clock,
        definitions: () => collections.all<CustomResourceDefinition>(definitionCollection),
      }),
      webhooks.rules,
      webhooks.conditions,
      podSecurity({
        readNamespace: (name) => collections.get('namespaces', '', name),
        podsIn: (namespace) => collections.where<KubeObject>('pods', namespace, ''),
      }),
      webhooks.policies,
      webhooks.validating,
      // Last: nobody is charged for what somebody else refuses.
      resourceQuotas({ quotasIn: (namespace) => collections.in('resourcequotas', namespace), charge }),
    ],
    webhooks.mutating,
  );

/** No new objects of a kind whose definition is on its way out. */
function demandDefinition(kind: Kind, definition: KubeObject | undefined): void {
  if (definition && !definition.metadata.deletionTimestamp) return;
  throw fail(
    'MethodNotAllowed',
    `create is not supported on resources of kind "${kind.collection}": create not allowed while custom resource definition is terminating`,
  );
}

/** The other served forms of a kind. Asked with every write about every hook, so looked for once per state of the catalogue. */
function createForms(kinds: KindCatalog): (kind: Kind) => readonly Kind[] {
  let known = new Map<Kind, readonly Kind[]>();
  let generation: number | undefined;
  return (kind) => {
    if (generation !== kinds.generation) known = new Map();
    generation = kinds.generation;
    let forms = known.get(kind);
    if (!forms) {
      forms = [...kinds.kinds()].filter((one) => one !== kind && one.collection === kind.collection);
      known.set(kind, forms);
    }
    return forms;
  };
}
