// cloudcore: which parts it has and who knows whom. Runs on any Kubernetes API; nothing here is about the embedded one.
import type { Log } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type {
  CertificateAuthorities,
  Database,
  Files,
  HttpServers,
  Keys,
  OpenDatabase,
  Random,
} from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import { createAdmission } from '@kedge/cloud/admission';
import { createBootstrapApi, createCloudHub, createLedger, createOutboxes, mayRead } from '@kedge/cloud/cloudhub';
import type { CloudHub, LinkEvents } from '@kedge/cloud/cloudhub';
import { createCrdInstaller } from '@kedge/cloud/crds';
import { createCsrApprover } from '@kedge/cloud/csrapprover';
import {
  createDeviceController,
  createSampleApi,
  createSampleStore,
  type DeviceController,
  sampleMigrations,
  withoutDevices,
} from '@kedge/cloud/devicecontroller';
import { createEdgeController, Locations } from '@kedge/cloud/edgecontroller';
import { createMonitor } from '@kedge/cloud/monitor';
import { createSyncController } from '@kedge/cloud/synccontroller';
import { createCloudIdentity } from '@kedge/engine/identity-cloud';
import { collections, createSharedInformers, type KubeApi } from '@kedge/engine/kube-client';
import { apiVersionOf, type GroupVersionResource, type NodeName } from '@kedge/model/k8s';
import type { Pod } from '@kedge/model/k8s-types';
import type { CloudCoreConfig } from '@kedge/model/componentconfig';
import {
  clusterObjectSyncs,
  deviceModels,
  devices as deviceCollection,
  deviceStatuses,
  objectSyncs,
} from '@kedge/model/kubeedge';

export interface CloudCorePlatform {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly files: Pick<Files, 'readText'>;
  readonly keys: Keys;
  readonly authorities: CertificateAuthorities;
  readonly servers: HttpServers;
  readonly kube: KubeApi;
  /** For what is kept here: samples of devices. */
  readonly database: (options: OpenDatabase) => Database;
  /** A copy of a database, made at the path by the first argument, as a compressed file; nothing stays. */
  readonly packCopy?: (copyTo: (path: string) => Promise<void>, path: string) => AsyncIterable<Uint8Array>;
  /** PEM of the Kubernetes API's CA, for edges that ask for it. */
  readonly kubeCa: string | undefined;
}

/** What of cloudcore.yaml matters here. */
export type CloudCoreSettings = Pick<CloudCoreConfig, 'identity' | 'hub' | 'https'> &
  Partial<Pick<CloudCoreConfig, 'monitor' | 'devices' | 'admission'>>;

/** In the order in which they start. */
export async function createCloudCore(on: CloudCorePlatform, config: CloudCoreSettings): Promise<Module[]> {
  const { clock, log, random, kube, keys, authorities, servers, files } = on;
  const metrics = createMetrics();
  const informers = createSharedInformers({ api: kube, clock, log, random });
  const pods = informers.of(collections.pods);
  const nodes = informers.of(collections.nodes);
  const configMaps = informers.of(collections.configMaps);
  const secrets = informers.of(collections.secrets);
  const requests = informers.of(collections.certificateSigningRequests);

  const ledger = createLedger({
    clock,
    log,
    kube,
    syncs: informers.of(collectionOf(objectSyncs, 'ObjectSync')),
    clusterSyncs: informers.of(collectionOf(clusterObjectSyncs, 'ClusterObjectSync')),
  });
  const outboxes = createOutboxes({ clock, log, random, deliveries: ledger });
  const locations = new Locations();
  let devices: DeviceController | undefined;
  const samples = config.devices?.samples && openSamples(on, config.devices.samples);
  const belongings = {
    pod: (namespace: string, name: string) => placeOf(pods.get(`${namespace}/${name}`)),
    uses: (node: NodeName, type: string, namespace: string, name: string) =>
      type === 'device' || type === 'devicemodel'
        ? (devices?.uses(node, type, namespace, name) ?? false)
        : locations.uses(node, type, namespace, name),
  };

  const identity = createCloudIdentity(
    {
      clock,
      log,
      kube,
      files,
      keys,
      authorities,
      onRenewed: (tls) => [bootstrap, hub, admission].forEach((at) => at?.renew(tls)),
    },
    config.identity,
  );
  const edge = createEdgeController({
    clock,
    log,
    kube,
    pods,
    nodes,
    configMaps,
    secrets,
    authorities,
    locations,
    sink: outboxes,
    mayRead: (node, ref, object) =>
      config.hub.authorization === 'on' ? mayRead(node, ref, object, belongings) : { allow: true },
    ownAddress: config.hub.ownAddress,
    kubeCa: on.kubeCa,
    onNodeGone: (node) => hub.dismiss(node),
  });
  const deviceCopies = config.devices && {
    Device: informers.of(collectionOf(deviceCollection, 'Device')),
    DeviceModel: informers.of(collectionOf(deviceModels, 'DeviceModel')),
  };
  if (config.devices && deviceCopies) {
    devices = createDeviceController(
      {
        clock,
        log,
        random,
        metrics,
        kube,
        devices: deviceCopies.Device,
        models: deviceCopies.DeviceModel,
        nodes,
        statuses: informers.of(collectionOf(deviceStatuses, 'DeviceStatus')),
        sink: {
          ...outboxes,
          isKnown: (node, uid) => ledger.versionOf(node, uid) !== undefined,
          tell: (node, message) => hub.tell(node, message),
        },
        samples: samples?.store,
      },
      config.devices,
    );
  }
  const sync = createSyncController({
    clock,
    log,
    records: ledger,
    sink: outboxes,
    uses: belongings.uses,
    connected: () => hub.connected,
    nodes,
    pods,
    copies: { Pod: pods, Node: nodes, ConfigMap: configMaps, Secret: secrets, ...deviceCopies },
  });
  const events: LinkEvents = {
    connected(node, { wantsNode }) {
      if (wantsNode) edge.wantsNode(node);
      devices?.check(node);
      sync.check(node);
    },
    distrusted: (node) => devices?.distrusted(node),
    alive: edge.renewLease,
  };
  const hub: CloudHub = createCloudHub(
    {
      clock,
      log,
      random,
      kube,
      servers,
      tls: () => ({ ...identity.serving, clientCa: identity.caPem }),
      outboxes,
      ledger,
      handlers: { ...edge.handlers, ...(devices?.handlers ?? withoutDevices) },
      belongings,
      events,
      metrics,
    },
    config.hub,
  );
  const bootstrap = config.https && createBootstrapApi({ log, kube, servers, identity }, config.https);
  const admission =
    config.admission &&
    createAdmission(
      {
        clock,
        log,
        kube,
        servers,
        tls: () => identity.serving,
        caPem: () => identity.caPem,
        clientCa: on.kubeCa,
        also: samples ? createSampleApi({ log, kube, samples: samples.store, pack: samples.pack }) : () => undefined,
      },
      config.admission,
    );
  const approver = createCsrApprover({ clock, log, kube, requests, authorities });
  const monitor =
    config.monitor && createMonitor({ clock, log, servers, metrics, isReady: () => hub.isListening }, config.monitor);
  const crds = createCrdInstaller({ clock, log, kube });
  // The ledger is complete before the first object is put into an outbox: what a node has is not sent again.
  const modules = [
    monitor,
    crds,
    informers,
    identity,
    ledger,
    edge,
    devices,
    sync,
    approver,
    hub,
    bootstrap,
    admission,
  ];
  return modules.filter((module) => module !== undefined);
}

function openSamples(
  { clock, log, database, packCopy }: CloudCorePlatform,
  config: NonNullable<NonNullable<CloudCoreConfig['devices']>['samples']>,
) {
  const { path, ...limits } = config;
  const db = database({ path, migrations: sampleMigrations, durability: 'full', cacheKiB: 4_096 });
  const store = createSampleStore({ clock, log, db, limits });
  return { store, pack: packCopy && (() => packCopy(store.copyTo, `${path}.backup-under-way`)) };
}

const collectionOf = (of: GroupVersionResource, kind: string) => ({
  ...of,
  kind,
  apiVersion: apiVersionOf(of.group, of.version),
});

const placeOf = (pod: Pod | undefined) =>
  pod && {
    node: pod.spec?.nodeName,
    uid: pod.metadata.uid ?? '',
    serviceAccount: pod.spec?.serviceAccountName ?? 'default',
  };
