// `kedge cloudcore`: the cloud part, on the Kubernetes API that its configuration names.
import type { Log } from '@kedge/core/log';
import { readCloudCoreConfig, writeCloudCoreDefaults, writeCloudCoreMinimum } from '@kedge/model/componentconfig';
import { createFiles, createHttpServers, createKeys, createRandom, systemClock } from '@kedge/platform/node';
import { createHost } from '@kedge/platform/linux';
import { openDatabase } from '@kedge/platform/sqlite';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { packCopy } from '../backup/backup-archive.ts';
import { createCloudCore } from '../cloudcore.ts';
import { type Assembled, runDaemon } from '../daemon.ts';
import { inClusterKubeconfig, openKubeApi } from '../kube-access.ts';
import { readConfigFile } from './config-file.ts';
import { version } from './version.ts';

type Config = ReturnType<typeof readCloudCoreConfig>['config'];

/** cloudcore talks for hundreds of nodes: its client is not held back before the API is. */
const apiLimits = { qps: 2_500, burst: 5_000 };

async function assemble(log: Log, config: Config): Promise<Assembled> {
  const { kubeconfig, server } = config.kubeApi;
  const access = await openKubeApi(kubeconfig ?? inClusterKubeconfig(), 'kedge-cloudcore', apiLimits, server);
  const modules = await createCloudCore(
    {
      clock: systemClock,
      log,
      random: createRandom(),
      files: createFiles(),
      keys: createKeys(),
      authorities: createCertificateAuthorities(),
      servers: createHttpServers({ log }),
      kube: access.api,
      database: openDatabase,
      packCopy,
      kubeCa: access.ca,
    },
    config,
  );
  return { modules, close: access.close };
}

export async function runCloudcore(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  if (values['version']) return version();
  const facts = await createHost().facts();
  if (values['defaultconfig'] || values['minconfig']) {
    process.stdout.write(values['minconfig'] ? writeCloudCoreMinimum(facts) : writeCloudCoreDefaults(facts));
    return 0;
  }
  const { config, warnings } = readCloudCoreConfig(await readConfigFile(values['config'], 'kedge cloudcore'), facts);
  return runDaemon('cloudcore', async (log) => {
    for (const say of warnings) log.warn('configuration', { reason: say });
    return assemble(log, config);
  });
}
