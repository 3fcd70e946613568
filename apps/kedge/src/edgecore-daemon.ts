// The edge's daemon: a bundle of its own, because every module it does not load is memory it does not take.
import type { Log } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { seconds } from '@kedge/core/time';
import { edgeMigrations } from '@kedge/edge/metamanager';
import type { EdgeCoreConfig } from '@kedge/model/componentconfig';
import { askGrpcHealth, grpcServers, openGrpcChannel } from '@kedge/platform/grpc';
import { createCgroups, createHost, createMounts, createProbeNetwork } from '@kedge/platform/linux';
import {
  createDialer,
  createFiles,
  createHeapKeeper,
  createHttpClient,
  createHttpServers,
  createKeys,
  createProcesses,
  createRandom,
  systemClock,
} from '@kedge/platform/node';
import { openOrSetAside } from '@kedge/platform/sqlite';
import { createCri } from '@kedge/wire/cri';
import { kedgeVersion } from './commands/version.ts';
import { type Assembled, runDaemon } from './daemon.ts';
import { takeOver } from './edgecore-settings.ts';
import { createEdgeCore } from './edgecore.ts';
import { createBeginAgain } from './begin-again.ts';
import { guardDatabase } from './guard-database.ts';

/** The Kubernetes version whose kubelet behaviour edged follows, and ours, in upstream's form. */
const nodeVersion = `v1.32.0-kedge-v${kedgeVersion}`;

async function assemble(log: Log, config: EdgeCoreConfig): Promise<Assembled> {
  const random = createRandom();
  const opened = openOrSetAside(
    { path: config.database.path, migrations: edgeMigrations, durability: 'full', cacheKiB: 256 },
    systemClock.now(),
  );
  if (opened.setAside) log.error('the database was damaged and is rebuilt from the cloud', { path: opened.setAside });
  const files = createFiles();
  const processes = createProcesses();
  const begin = createBeginAgain({ log, processes });
  const { database, guard } = guardDatabase(opened.database, { clock: systemClock, log, onDamage: begin.onDamage });
  const channel = openGrpcChannel({ socketPath: config.edged.runtimeSocket });
  const modules = await createEdgeCore(
    {
      clock: systemClock,
      log,
      random,
      metrics: createMetrics(),
      db: database,
      files,
      keys: createKeys(),
      openHttpClient: createHttpClient,
      dialer: createDialer(),
      cri: createCri(channel),
      processes,
      mounts: createMounts(processes),
      cgroups: createCgroups(processes),
      host: createHost(),
      openShutdowns: async () =>
        (await import('@kedge/platform/shutdown')).createHostShutdowns({
          clock: systemClock,
          files,
          processes,
          endProcess: () => process.kill(process.pid, 'SIGTERM'),
        }),
      network: { ...createProbeNetwork(), grpcHealth: askGrpcHealth },
      servers: createHttpServers({ log }),
      openMqttBrokers: async () =>
        (await import('@kedge/platform/mqtt-broker')).createMqttBrokers({ log, now: () => systemClock.now() }),
      openMqtt: async () => (await import('@kedge/platform/mqtt')).createMqtt(),
      rpc: { servers: grpcServers, openChannel: openGrpcChannel },
    },
    {
      identity: { ...config.identity, onJoined: begin.onJoined },
      hub: config.hub,
      meta: config.meta,
      edged: { ...config.edged, version: nodeVersion },
      devices: config.devices,
      eventBus: config.eventBus,
    },
  );
  return {
    modules: [begin.onHangUp, ...modules, guard, createHeapKeeper({ clock: systemClock, every: seconds(30) })],
    restart: begin.restart,
    async close() {
      channel.close();
      await opened.database.close();
    },
  };
}

const { config, warnings } = takeOver(process.env);
void runDaemon('edgecore', async (log) => {
  for (const say of warnings) log.warn('configuration', { reason: say });
  return assemble(log, config);
}).then((code) => (process.exitCode = code));
