// edgecore: which parts it has and who knows whom. Everything of the outside comes in as a platform, so a test can run
// a whole edge without a machine.
import type { Log, Secret } from '@kedge/core/log';
import type { Metrics } from '@kedge/core/metrics';
import type { Module } from '@kedge/core/module';
import type {
  Cgroups,
  Database,
  Dialer,
  Files,
  Host,
  HttpServers,
  Keys,
  Mounts,
  ProbeNetwork,
  Random,
} from '@kedge/core/ports';
import type { Clock, Duration } from '@kedge/core/time';
import { createEdged, type EdgedConfig } from '@kedge/edge/edged';
import { createEdgeHub, type EdgeHubConfig } from '@kedge/edge/edgehub';
import { createMetaManager } from '@kedge/edge/metamanager';
import { createLinkStatus } from '@kedge/engine/channel';
import { createEdgeIdentity, type EdgeIdentityConfig, type EdgeIdentityDeps } from '@kedge/engine/identity-edge';
import type { Cri } from '@kedge/wire/cri';

export interface EdgeCorePlatform {
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly db: Database;
  readonly files: Files;
  readonly keys: Keys;
  readonly openHttpClient: EdgeIdentityDeps['openHttpClient'];
  readonly dialer: Dialer;
  readonly cri: Cri;
  readonly mounts: Mounts;
  readonly cgroups: Cgroups;
  readonly host: Host;
  readonly network: ProbeNetwork;
  readonly servers: HttpServers;
}

export interface EdgeCoreSettings {
  readonly identity: EdgeIdentityConfig;
  readonly hub: EdgeHubConfig;
  readonly meta: { readonly remoteQueryTimeout: Duration };
  readonly edged: EdgedConfig;
}

/** In the order in which they start: pods come back from the disk before anything needs the cloud. */
export function createEdgeCore(on: EdgeCorePlatform, settings: EdgeCoreSettings): Module[] {
  const { clock, log, random, files } = on;
  const link = createLinkStatus();
  const { node } = settings.edged;
  const askTimeout = settings.meta.remoteQueryTimeout;
  const meta = createMetaManager({ db: on.db, clock, log, random, node, askTimeout });
  const { pods, store, objects, tokens, outbox, asks } = meta;
  const identity = createEdgeIdentity(
    { clock, log, random, files, keys: on.keys, openHttpClient: on.openHttpClient },
    settings.identity,
  );
  const serving = { current: () => servingFiles(identity.current()), listen: identity.listen };
  const server = { metrics: on.metrics, servers: on.servers, serving };
  const edged = createEdged({
    ...on,
    config: settings.edged,
    pods,
    store,
    objects,
    tokens,
    outbox,
    asks,
    link,
    server,
  });
  const hub = createEdgeHub({
    clock,
    log,
    random,
    metrics: on.metrics,
    dialer: on.dialer,
    identity,
    handlers: meta.handlers,
    asks,
    outbox,
    store,
    link,
    config: settings.hub,
  });
  return [meta, edged, identity, hub];
}

/** The node shows the same certificate to callers as to its cloud. */
const servingFiles = ({ certificate, key }: { certificate: string; key: Secret<string> }) => ({
  certificate,
  key: key.reveal(),
});
