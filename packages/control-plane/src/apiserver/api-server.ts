// Puts the API server together: storage, kinds, admission, authorization, and the HTTP listener in front. Everything else in
// this folder is handed what it needs here.
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import type { Module } from '@kedge/core/module';
import type { CertificateAuthorities, Files, HttpServers, Keys, Random } from '@kedge/core/ports';
import { type Clock, minutes } from '@kedge/core/time';
import {
  type ApiUser,
  createKubeApiHandler,
  createOpenApi,
  type Gatekeeper,
  type Gzip,
  type ObjectApi,
  plainLayout,
} from '@kedge/engine/kube-api';
import type { KubeApi } from '@kedge/engine/kube-client';
import { fail, type GroupVersionResource, type KubeObject } from '@kedge/model/k8s';
import { loadBuiltinSchemas } from '@kedge/model/k8s-schema';
import type {
  ClusterRole,
  ClusterRoleBinding,
  CustomResourceDefinition,
  Pod,
  PriorityClass,
  Role,
  RoleBinding,
} from '@kedge/model/k8s-types';
import { joinAdmission } from './admission/admission.ts';
import { certificateRequestUser } from './admission/certificate-requests.ts';
import { noEscalation } from './admission/escalation.ts';
import { demandNamespace, namespaceLifecycle } from './admission/namespace-lifecycle.ts';
import { nodeRestriction } from './admission/node-restriction.ts';
import { defaultTolerations, podPriority, serviceAccounts } from './admission/pod-admission.ts';
import { createServiceAddresses } from './admission/service-addresses.ts';
import { createApiObjects } from './api-objects.ts';
import { createAuthenticator } from './authn/authenticate.ts';
import { openTokenSigner } from './authn/tokens.ts';
import { createGatekeeper, joinAuthorizers } from './authz/gatekeeper.ts';
import { createNodeAuthorizer } from './authz/node-authorizer.ts';
import { createRbac } from './authz/rbac.ts';
import { createDefaultObjects } from './bootstrap/default-objects.ts';
import type { CustomKind } from './crds/custom-kinds.ts';
import { createDefinitions } from './crds/definitions.ts';
import { expireEvents } from './event-expiry.ts';
import { createKindCatalog } from './kinds/kind-catalog.ts';
import type { Kind } from './kinds/kind.ts';
import { createLocalKubeApi } from './local-kube-api.ts';
import { createCollections } from './objects/collections.ts';
import type { ObjectStore } from './objects/object-store.ts';
import { createObjectReader } from './objects/read-objects.ts';
import { createRemover } from './objects/remove-objects.ts';
import { createObjectWriter } from './objects/write-objects.ts';
import { createPublishedDefinitions } from './open-api-definitions.ts';
import { formatKubeconfig, openPki, type Pki } from './pki.ts';
import { createBinding, createEphemeralContainers, createEviction, success } from './subresources/pod-subresources.ts';
import { createReviews } from './subresources/reviews.ts';
import { createScale } from './subresources/scale.ts';
import { createApproval, createFinalize } from './subresources/small-subresources.ts';
import { createTokenRequest } from './subresources/token-request.ts';

export interface ApiServerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly files: Files;
  readonly keys: Keys;
  readonly authorities: CertificateAuthorities;
  readonly servers: HttpServers;
  readonly store: ObjectStore;
  readonly gzip?: Gzip;
}

export interface ApiServerConfig {
  /** Where to listen; port 0 picks a free one. */
  readonly address: string;
  readonly port: number;
  /** How others reach this server. */
  readonly advertiseAddress: string;
  /** Where keys and certificates are kept. */
  readonly pkiDirectory: string;
  /** More names and addresses for the serving certificate. */
  readonly names: readonly string[];
  readonly addresses: readonly string[];
  readonly serviceCidr: string;
  readonly nodePorts: { readonly first: number; readonly last: number };
  /** Who issues service account tokens, and who they are for unless a request says otherwise. */
  readonly issuer: string;
}

export interface ApiServer {
  /** Ready once the listener is open and the cluster's own objects are there. */
  readonly module: Module;
  readonly pki: Pki;
  /** The API as `user`, without HTTP. */
  localApi(user: ApiUser): KubeApi;
  /** For the administrator; call it once the module has started. */
  kubeconfig(): string;
  /** Where it listens, once started. */
  port(): number;
}

export const systemUser: ApiUser = { name: 'system:apiserver', groups: ['system:masters'] };

const versionInfo = {
  major: '1',
  minor: '32',
  gitVersion: 'v1.32.4-kedge',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '2026-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'linux/amd64',
};

const definitionCollection = 'customresourcedefinitions.apiextensions.k8s.io';
const compactEvery = minutes(1);

export async function createApiServer(deps: ApiServerDeps, config: ApiServerConfig): Promise<ApiServer> {
  const { clock, random, store } = deps;
  const log = deps.log.child({ module: 'apiserver' });
  const schemas = await loadBuiltinSchemas();
  const kinds = createKindCatalog(schemas);
  const collections = createCollections(store);
  const published = createPublishedDefinitions(schemas);
  const services = createServiceAddresses({ random, cidr: config.serviceCidr, nodePorts: config.nodePorts });
  const pki = await openPki(deps, {
    directory: config.pkiDirectory,
    dnsNames: [
      'localhost',
      'kubernetes',
      'kubernetes.default',
      'kubernetes.default.svc',
      'kubernetes.default.svc.cluster.local',
      ...config.names,
    ],
    addresses: [...new Set(['127.0.0.1', services.apiAddress, config.advertiseAddress, ...config.addresses])],
  });
  const tokens = await openTokenSigner(pki.tokenKeys, config.issuer);

  const rbac = createRbac(() => ({
    roles: collections.all<Role>('roles.rbac.authorization.k8s.io'),
    clusterRoles: collections.all<ClusterRole>('clusterroles.rbac.authorization.k8s.io'),
    roleBindings: collections.all<RoleBinding>('rolebindings.rbac.authorization.k8s.io'),
    clusterRoleBindings: collections.all<ClusterRoleBinding>('clusterrolebindings.rbac.authorization.k8s.io'),
  }));
  const nodeAuthorizer = createNodeAuthorizer({
    get: (namespace, name) => collections.get('pods', namespace, name) as Pod | undefined,
    on: (node, namespace) => collections.where<Pod>('pods', namespace, `"nodeName":${JSON.stringify(node)}`),
  });
  const authorizer = joinAuthorizers([nodeAuthorizer, rbac]);
  const authenticator = createAuthenticator({
    clock,
    tokens,
    audience: config.issuer,
    read: (resource, namespace, name) => collections.get(resource, namespace, name),
  });
  const admission = joinAdmission([
    namespaceLifecycle((name) => collections.get('namespaces', '', name)),
    nodeRestriction,
    noEscalation({ authorizer, rulesOf: rbac.rulesOf }),
    serviceAccounts({
      clock,
      random,
      readAccount: (namespace, name) => collections.get('serviceaccounts', namespace, name),
    }),
    podPriority(() => collections.all<PriorityClass>('priorityclasses.scheduling.k8s.io')),
    defaultTolerations,
    certificateRequestUser,
    services.step,
  ]);

  function onWritten(kind: Kind, before: KubeObject | undefined, after: KubeObject | undefined): void {
    if (kind.collection === 'services') services.settle(before, after);
    else if (kind.collection === definitionCollection) settleDefinition(before, after);
    else if (kind.served.group === 'rbac.authorization.k8s.io') rbac.forget();
  }
  function settleDefinition(before: KubeObject | undefined, after: KubeObject | undefined): void {
    definitions.settle(before, after);
    published.setCustom((after ?? before)?.metadata.name ?? '', after as CustomResourceDefinition | undefined);
  }

  const reader = createObjectReader(store);
  const writer = createObjectWriter({
    store,
    clock,
    random,
    admission,
    onWritten,
    checkCreate(kind, namespace) {
      if (kind.isCustom) demandDefinition(kind, collections.get(definitionCollection, '', kind.collection));
      if (namespace !== undefined)
        demandNamespace(namespace, (name) => collections.get('namespaces', '', name), kind.served.resource);
    },
  });
  const remove = createRemover({ store, clock, admission, onWritten });
  const kindOf = (of: GroupVersionResource): Kind => {
    const kind = kinds.of(of);
    if (!kind) throw new Error(`the built-in kind of ${of.resource} is missing from the resources table`);
    return kind;
  };
  const definitions = createDefinitions({
    clock,
    log,
    kinds,
    store,
    writer,
    remove,
    definitionKind: kindOf({ group: 'apiextensions.k8s.io', version: 'v1', resource: 'customresourcedefinitions' }),
    objectMeta: schemas.ofKind('v1', 'Pod')!.properties!['metadata']!,
    system: systemUser,
  });
  const budgetKind = kindOf({ group: 'policy', version: 'v1', resource: 'poddisruptionbudgets' });
  const podDeps = {
    clock,
    reader,
    writer,
    remove,
    budgets: (namespace: string) => ({ kind: budgetKind, items: collections.in(budgetKind.collection, namespace) }),
  };
  const boundKinds = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' } as const;
  const binding = createBinding(podDeps);

  const objects: ObjectApi = createApiObjects({
    clock,
    kinds,
    reader,
    writer,
    remove,
    subresources: {
      '*/scale': createScale(reader, writer, (kind) => (kind as CustomKind).scale),
      'pods/binding': binding,
      'pods/eviction': createEviction(podDeps),
      'pods/ephemeralcontainers': createEphemeralContainers(podDeps),
      'namespaces/finalize': createFinalize(reader, writer),
      'certificatesigningrequests.certificates.k8s.io/approval': createApproval(reader, writer),
      'serviceaccounts/token': createTokenRequest({
        clock,
        random,
        tokens,
        audience: config.issuer,
        reader,
        readBound: (kind, namespace, name) =>
          reader.get(
            kindOf({ group: '', version: 'v1', resource: boundKinds[kind as keyof typeof boundKinds] }),
            namespace || undefined,
            name,
          ).object,
      }),
    },
    questions: {
      ...createReviews({ authenticator, authorizer, audience: config.issuer, rulesFor: rbac.rulesFor }),
      async bindings(body, namespace, call) {
        const kind = kindOf({ group: '', version: 'v1', resource: 'pods' });
        const options = {
          dryRun: false,
          fieldManager: 'binding',
          fieldValidation: 'Ignore',
          force: false,
          duplicates: [],
        } as const;
        await binding.create!({ kind, namespace, name: body.metadata.name ?? '' }, body, options, call);
        return success(201);
      },
    },
  });

  const handlerFor = (gatekeeper: Gatekeeper) =>
    createKubeApiHandler({
      clock,
      log,
      gzip: deps.gzip,
      catalog: kinds,
      objects,
      gatekeeper,
      openApi: createOpenApi({
        catalog: kinds,
        definitions: published,
        title: 'Kubernetes',
        version: versionInfo.gitVersion,
      }),
      random: () => random.next(),
      version: versionInfo,
      health: [{ name: 'storage', check: () => storageProblem(store) }],
      serverAddress: `${config.advertiseAddress}:${config.port}`,
      layout: (resource) => kinds.of(resource)?.layout ?? plainLayout,
      fields: (resource) => kinds.of(resource)?.readField ?? (() => undefined),
    });

  const localApi = (user: ApiUser): KubeApi =>
    createLocalKubeApi(
      {
        objects,
        catalog: kinds,
        authorizer,
        fields: (resource) => kinds.of(resource)?.readField ?? (() => undefined),
        serve: (who, request, response) =>
          handlerFor({ authenticate: async () => who, admit: async (admitted) => admitted })(request, response),
      },
      user,
    );

  let port = config.port;
  async function start(scope: Scope): Promise<void> {
    for (const service of collections.all<KubeObject>('services')) services.settle(undefined, service);
    for (const definition of collections.all<KubeObject>(definitionCollection)) settleDefinition(undefined, definition);
    const listening = await deps.servers.listen({
      address: config.address,
      port: config.port,
      tls: {
        certificate: pki.serving.certificatePem,
        key: pki.serving.key.reveal(),
        clientCa: pki.authority.certificatePem,
        clientAuth: 'request',
      },
      handler: handlerFor(createGatekeeper(authenticator, authorizer)),
    });
    scope.defer('the API listener', () => listening.close());
    port = listening.port;
    await createDefaultObjects(bootstrapApi(localApi(systemUser), collections), {
      serviceAddress: services.apiAddress,
      address: config.advertiseAddress,
      port,
    });
    definitions.start(scope);
    scope.spawn('compaction', async (signal) => {
      for (;;) {
        await clock.sleep('history to compact', compactEvery, signal);
        await expireEvents(store, clock);
        await store.compact();
      }
    });
  }

  return {
    module: { name: 'apiserver', start },
    pki,
    localApi,
    kubeconfig: () => formatKubeconfig(`https://${config.advertiseAddress}:${port}`, pki),
    port: () => port,
  };
}

/** No new objects of a kind whose definition is on its way out. */
function demandDefinition(kind: Kind, definition: KubeObject | undefined): void {
  if (definition && !definition.metadata.deletionTimestamp) return;
  throw fail(
    'MethodNotAllowed',
    `create is not supported on resources of kind "${kind.collection}": create not allowed while custom resource definition is terminating`,
  );
}

function storageProblem(store: ObjectStore): string | undefined {
  try {
    store.get({ resource: 'namespaces', namespace: '', name: 'default' });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function bootstrapApi(
  api: KubeApi,
  collections: ReturnType<typeof createCollections>,
): Parameters<typeof createDefaultObjects>[0] {
  const collection = ({ group, resource }: GroupVersionResource): string => (group ? `${resource}.${group}` : resource);
  return {
    get: (of, namespace, name) => collections.get(collection(of), namespace ?? '', name),
    async create(of, object) {
      await api.create(of, object.metadata.namespace, object);
    },
    async replace(of, object) {
      const { namespace, name = '' } = object.metadata;
      if (collections.get(collection(of), namespace ?? '', name)) await api.update(of, object);
      else await api.create(of, namespace, object);
    },
  };
}
