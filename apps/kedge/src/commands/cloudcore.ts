// `kedge cloudcore`: cloudcore as a daemon, configured by a KubeEdge cloudcore.yaml.
import { readFile } from 'node:fs/promises';
import type { Log } from '@kedge/core/log';
import { loadKubeconfig } from '@kedge/engine/kube-client';
import { readCloudCoreConfig, writeCloudCoreDefaults, writeCloudCoreMinimum } from '@kedge/model/componentconfig';
import {
  createFiles,
  createHttpServers,
  createKeys,
  createRandom,
  readHostFacts,
  systemClock,
} from '@kedge/platform/node';
import { createCertificateAuthorities } from '@kedge/platform/x509';
import { parse } from 'yaml';
import { createCloudCore } from '../cloudcore.ts';
import { type Assembled, runDaemon } from '../daemon.ts';
import { openKubeApi } from '../kube-access.ts';
import { CommandLineError } from './command-line-error.ts';
import { version } from './version.ts';

const defaultPath = '/etc/kubeedge/config/cloudcore.yaml';

async function readConfig(path: string) {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new CommandLineError(`cannot read ${path}; "kedge cloudcore --minconfig" writes a first one`, { cause });
  });
  return readCloudCoreConfig(
    { file: { path, content: parse(text) as unknown }, environment: process.env },
    readHostFacts(),
  );
}

async function assemble(log: Log, path: string): Promise<Assembled> {
  const { config, warnings } = await readConfig(path);
  for (const reason of warnings) log.warn('configuration has a key that needs a look', { path, reason });
  const { kubeconfig } = config.kubeApi;
  if (kubeconfig === undefined) {
    throw new CommandLineError(`${path}: kubeAPIConfig.kubeConfig has to name a kubeconfig file`);
  }
  const files = createFiles();
  const access = await openKubeApi(kubeconfig, 'kedge-cloudcore');
  const { ca } = await loadKubeconfig(files, kubeconfig);
  const modules = await createCloudCore(
    {
      clock: systemClock,
      log,
      random: createRandom(),
      files,
      keys: createKeys(),
      authorities: createCertificateAuthorities(),
      servers: createHttpServers({ log }),
      kube: access.api,
      kubeCa: ca,
    },
    config,
  );
  return { modules, close: () => access.close() };
}

export async function runCloudcore(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  if (values['version']) return version();
  if (values['defaultconfig'] || values['minconfig']) {
    const write = values['defaultconfig'] ? writeCloudCoreDefaults : writeCloudCoreMinimum;
    process.stdout.write(write(readHostFacts()));
    return 0;
  }
  const path = typeof values['config'] === 'string' ? values['config'] : defaultPath;
  return runDaemon('cloudcore', (log) => assemble(log, path));
}
