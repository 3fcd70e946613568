// The edge's program: a bundle of its own, because every module it does not load is memory it does not take.
import { parseArgs } from 'node:util';
import { explain } from '@kedge/core/errors';
import type { Log } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { edgeMigrations } from '@kedge/edge/metamanager';
import { readEdgeCoreConfig, writeEdgeCoreDefaults, writeEdgeCoreMinimum } from '@kedge/model/componentconfig';
import { openGrpcChannel } from '@kedge/platform/grpc';
import { createCgroups, createHost, createMounts, createProbeNetwork } from '@kedge/platform/linux';
import {
  createDialer,
  createFiles,
  createHttpClient,
  createKeys,
  createProcesses,
  createRandom,
  systemClock,
} from '@kedge/platform/node';
import { openOrSetAside } from '@kedge/platform/sqlite';
import { createCri } from '@kedge/wire/cri';
import { CommandLineError } from './commands/command-line-error.ts';
import { readConfigFile } from './commands/config-file.ts';
import { usage } from './commands/usage.ts';
import { kedgeVersion, version } from './commands/version.ts';
import { type Assembled, runDaemon } from './daemon.ts';
import { createEdgeCore } from './edgecore.ts';

type Config = ReturnType<typeof readEdgeCoreConfig>['config'];

/** The Kubernetes version whose kubelet behaviour edged follows, and ours, in upstream's form. */
const nodeVersion = `v1.32.0-kedge-v${kedgeVersion}`;

async function assemble(log: Log, config: Config): Promise<Assembled> {
  const random = createRandom();
  const opened = openOrSetAside(
    { path: config.database.path, migrations: edgeMigrations, durability: 'full' },
    systemClock.now(),
  );
  if (opened.setAside) log.error('the database was damaged and is rebuilt from the cloud', { path: opened.setAside });
  const channel = openGrpcChannel({ socketPath: config.edged.runtimeSocket });
  const modules = createEdgeCore(
    {
      clock: systemClock,
      log,
      random,
      metrics: createMetrics(),
      db: opened.database,
      files: createFiles(),
      keys: createKeys(),
      openHttpClient: createHttpClient,
      dialer: createDialer(),
      cri: createCri(channel),
      mounts: createMounts(createProcesses()),
      cgroups: createCgroups(),
      host: createHost(),
      network: createProbeNetwork(),
    },
    { identity: config.identity, hub: config.hub, edged: { ...config.edged, version: nodeVersion } },
  );
  return {
    modules,
    async close() {
      channel.close();
      await opened.database.close();
    },
  };
}

async function main(args: string[]): Promise<number> {
  const flag = { type: 'boolean' } as const;
  const options = {
    config: { type: 'string' },
    defaultconfig: flag,
    minconfig: flag,
    version: flag,
    help: flag,
  } as const;
  const { values } = parseArgs({ args, options, strict: true });
  if (values.help) {
    process.stdout.write(usage('edgecore'));
    return 0;
  }
  if (values.version) return version();
  const facts = await createHost().facts();
  if (values.defaultconfig || values.minconfig) {
    process.stdout.write(values.minconfig ? writeEdgeCoreMinimum(facts) : writeEdgeCoreDefaults(facts));
    return 0;
  }
  const { config, warnings } = readEdgeCoreConfig(await readConfigFile(values.config, 'kedge edgecore'), facts);
  return runDaemon('edgecore', async (log) => {
    for (const say of warnings) log.warn('configuration', { reason: say });
    return assemble(log, config);
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const code = String((error as { code?: string }).code);
  process.stderr.write(`kedge edgecore: ${explain(error)}\n`);
  process.exitCode = error instanceof CommandLineError || code.startsWith('ERR_PARSE_ARGS') ? 2 : 1;
}
