// Puts the API server together: keys, security, the served objects, and the HTTP listener in front of them.
import type { Scope } from '@kedge/core/flow';
import type { Log } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type { CertificateAuthorities, Files, HttpHandler, HttpServers, Keys, Random } from '@kedge/core/ports';
import { type Clock, minutes } from '@kedge/core/time';
import {
  type ApiUser,
  createKubeApiHandler,
  createOpenApi,
  limitRequests,
  type Gatekeeper,
  type Gzip,
  type KubeApiPaths,
} from '@kedge/engine/kube-api';
import type { KubeApi } from '@kedge/engine/kube-client';
import type { Node, Pod } from '@kedge/model/k8s-types';
import { loadBuiltinSchemas } from '@kedge/model/k8s-schema';
import { createServiceAddresses } from './admission/service-addresses.ts';
import { createSecurity } from './api-security.ts';
import { type AuditFileConfig, createAuditFile } from './audit/audit-file.ts';
import type { AuditPolicy } from './audit/audit-policy.ts';
import { createAuditing } from './audit/audit-requests.ts';
import { issuerDiscovery } from './authn/issuer-discovery.ts';
import { openTokenSigner } from './authn/tokens.ts';
import { createGatekeeper } from './authz/gatekeeper.ts';
import { createBootstrapApi } from './bootstrap/bootstrap-api.ts';
import { createDefaultObjects } from './bootstrap/default-objects.ts';
import { expireEvents } from './event-expiry.ts';
import { createKubelets, edgeAuthority, edgeAuthorityPem, type Kubelets } from './kubelets.ts';
import { createProseReader } from './kubernetes-prose.ts';
import { createLocalKubeApi } from './local-kube-api.ts';
import { createMounts, type MountedKinds } from './mounted-kinds.ts';
import { createCollections } from './objects/collections.ts';
import type { ObjectStore } from './objects/object-store.ts';
import { formatKubeconfig, openPki, type Pki } from './pki.ts';
import { createServedObjects } from './served-objects.ts';
import { createPodLogs } from './subresources/pod-logs.ts';
import { scaleLayout } from './tables/layouts.ts';
import type { OpenHttpClient } from './webhooks/webhook-client.ts';

export interface ApiServerDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly files: Files;
  readonly keys: Keys;
  readonly authorities: CertificateAuthorities;
  readonly servers: HttpServers;
  /** Opens connections to webhooks and kubelets. */
  readonly openHttpClient: OpenHttpClient;
  readonly store: ObjectStore;
  readonly gzip?: Gzip;
  /** Paths that only this server has; whoever may ask for them is decided as for all others. */
  readonly ownPaths?: KubeApiPaths;
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
  /** Where the descriptions of kinds and fields are; without it `kubectl explain` shows none. */
  readonly proseDirectory?: string;
  /**
   * PEM of the CAs that kubelets' certificates may be of. When absent: the cluster's own, and the one that cloudcore gives
   * edges their certificates from.
   */
  readonly kubeletAuthority?: string;
  /** Who issues service account tokens, and who they are for unless a request says otherwise. */
  readonly issuer: string;
  /** What is written to the audit log, and where; nothing when absent. */
  readonly audit?: AuditFileConfig & { readonly policy: AuditPolicy };
}

export interface ApiServer {
  /** Ready once the listener is open and the cluster's own objects are there. */
  readonly module: Module;
  readonly pki: Pki;
  /** The API as `user`, without HTTP. */
  localApi(user: ApiUser): KubeApi;
  readonly kubelets: Pick<Kubelets, 'get'>;
  /** Serves kinds that somebody else computes. */
  mount(kinds: MountedKinds): void;
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

const ownNames = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
];
const compactEvery = minutes(1);
/** As kube-apiserver has them. */
const inFlight = { reading: 400, writing: 200 } as const;

/** Opens the keys in `config.pkiDirectory`, or makes them; nothing listens before the module starts. */
export async function createApiServer(deps: ApiServerDeps, config: ApiServerConfig): Promise<ApiServer> {
  const { clock, random, store } = deps;
  const log = deps.log.child({ module: 'apiserver' });
  const services = createServiceAddresses({ random, cidr: config.serviceCidr, nodePorts: config.nodePorts });
  const pki = await openPki(deps, {
    directory: config.pkiDirectory,
    dnsNames: [...ownNames, ...config.names],
    addresses: [...new Set(['127.0.0.1', services.apiAddress, config.advertiseAddress, ...config.addresses])],
  });
  const tokens = await openTokenSigner(pki.tokenKeys, config.issuer);
  const schemas = await loadBuiltinSchemas();
  const collections = createCollections(store);
  const security = createSecurity({ clock, collections, tokens, audience: config.issuer });
  const served = createServedObjects({
    clock,
    log,
    random,
    store,
    collections,
    schemas,
    services,
    security,
    system: systemUser,
    openHttpClient: deps.openHttpClient,
    readRequest: (pem) => deps.authorities.readRequest(deps.keys.fromPem(pem)),
  });
  const metrics = createMetrics();
  const { kinds, published } = served;
  const mounts = createMounts(kinds, served.objects);
  const { catalog, objects } = mounts;
  const openApi = createOpenApi({
    catalog,
    definitions: published,
    title: 'Kubernetes',
    version: versionInfo.gitVersion,
    ...(config.proseDirectory ? { readProse: createProseReader(deps.files, config.proseDirectory) } : {}),
  });

  const edgeCa = (): string =>
    edgeAuthorityPem(collections.get('secrets', edgeAuthority.namespace, edgeAuthority.name));
  const kubelets = createKubelets({
    openHttpClient: deps.openHttpClient,
    client: pki.kubeletClient,
    authorities: () => config.kubeletAuthority ?? `${pki.authority.certificatePem.trimEnd()}\n${edgeCa()}`,
  });
  const logs = createPodLogs({
    kubelets,
    pod: (namespace, name) => served.read('pods', namespace, name) as Pod,
    node: (name) => collections.get('nodes', '', name) as Node | undefined,
  });

  let port = config.port;
  const discovery = issuerDiscovery({
    url: config.issuer,
    keys: [tokens.publicKey],
    address: () => `${config.advertiseAddress}:${port}`,
  });
  const handlerFor = (gatekeeper: Gatekeeper): HttpHandler =>
    createKubeApiHandler({
      clock,
      log,
      gzip: deps.gzip,
      catalog,
      objects,
      gatekeeper,
      openApi,
      random: () => random.next(),
      version: versionInfo,
      health: [{ name: 'storage', check: () => storageProblem(store) }],
      serverAddress: `${config.advertiseAddress}:${config.port}`,
      layout: (resource, subresource) =>
        subresource === 'scale' ? scaleLayout : (kinds.of(resource)?.layout ?? mounts.layoutOf(resource)),
      fields: (resource) => kinds.of(resource)?.readField ?? (() => undefined),
      texts: { 'pods/log': logs },
      own: {
        ...deps.ownPaths,
        ...discovery,
        '/metrics': async (_request, answer) => answer.plain(200, metrics.format()),
      },
    });

  const localApi = (user: ApiUser): KubeApi => {
    const handler = handlerFor({ authenticate: async () => user, admit: async (admitted) => admitted });
    return createLocalKubeApi(
      {
        objects,
        catalog,
        authorizer: security.authorizer,
        fields: (resource) => kinds.of(resource)?.readField ?? (() => undefined),
        handler,
      },
      user,
    );
  };

  const gatekeeper = createGatekeeper(security.authenticator, security.authorizer);
  const auditFile = config.audit && createAuditFile({ files: deps.files, clock, log }, config.audit);
  const audit =
    config.audit &&
    createAuditing({ clock, random, policy: config.audit.policy, write: (line) => auditFile?.write(line) });

  async function listen(scope: Scope): Promise<void> {
    const listening = await deps.servers.listen({
      address: config.address,
      port: config.port,
      tls: {
        certificate: pki.serving.certificatePem,
        key: pki.serving.key.reveal(),
        clientCa: pki.authority.certificatePem,
        clientAuth: 'request',
        http2: true,
      },
      handler: limitRequests(audit ? audit.handler(handlerFor(audit.gatekeeper(gatekeeper))) : handlerFor(gatekeeper), {
        clock,
        metrics,
        limits: inFlight,
      }),
    });
    scope.defer('the API listener', () => listening.close());
    port = listening.port;
  }

  async function keepTidy(signal: AbortSignal): Promise<void> {
    for (;;) {
      await clock.sleep('history to compact', compactEvery, signal);
      try {
        await expireEvents(store, clock);
        await store.compact();
      } catch (error) {
        // A full disk, mostly: writes say so to clients, and the next round tries again.
        log.warn('old history could not be removed', { err: error });
      }
    }
  }

  async function start(scope: Scope): Promise<void> {
    served.load();
    if (auditFile) scope.spawn('audit log', (signal) => auditFile.run(signal));
    await listen(scope);
    await createDefaultObjects(createBootstrapApi(localApi(systemUser), collections), {
      serviceAddress: services.apiAddress,
      address: config.advertiseAddress,
      port,
      clientCa: pki.authority.certificatePem,
    });
    served.start(scope);
    scope.defer('connections to kubelets', () => kubelets.close());
    scope.spawn('compaction', keepTidy);
  }

  return {
    module: { name: 'apiserver', start },
    pki,
    localApi,
    kubelets,
    mount(more) {
      mounts.mount(more);
      published.add(more.definitions);
    },
    kubeconfig: () => formatKubeconfig(`https://${config.advertiseAddress}:${port}`, pki),
    port: () => port,
  };
}

function storageProblem(store: ObjectStore): string | undefined {
  try {
    store.get({ resource: 'namespaces', namespace: '', name: 'default' });
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
