// `kedge backup`: everything the embedded API of a site knows, its keys included, in one file. A running site is asked
// over its API; one that is stopped is read from its directory.
import { createWriteStream, existsSync } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { BackupInfo } from '@kedge/control-plane/apistore';
import { loadKubeconfig } from '@kedge/engine/kube-client';
import { createFiles, createHttpClient } from '@kedge/platform/node';
import {
  checkArchive,
  compress,
  copyStore,
  openStoreFile,
  removeStoreFiles,
  syncDirectory,
} from '../backup/backup-archive.ts';
import { backupPath } from '../backup/serve-backup.ts';
import { type SiteLayout, siteLayout } from '../site/layout.ts';
import { liveProcesses } from '../site/pid-files.ts';
import { CommandLineError } from './command-line-error.ts';

export async function backup(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  const layout = siteLayout(String(values['data'] ?? './.kedge'));
  if (typeof values['out'] !== 'string') throw new CommandLineError('kedge backup needs --out FILE');
  const out = resolve(values['out']);
  if (existsSync(out)) throw new CommandLineError(`${out} exists already; name another file or remove it first`);
  if (!existsSync(dirname(out))) throw new CommandLineError(`there is no directory ${dirname(out)}`);
  if (!existsSync(join(layout.api.directory, 'store.db'))) {
    throw new CommandLineError(`there is no site with a Kubernetes API in ${layout.data}`);
  }
  const info = await writeBackup(layout, out);
  process.stdout.write(
    `kedge: ${out} holds ${info.objects} objects as of revision ${info.revision}, and the keys of the cluster: keep it secret\n`,
  );
  return 0;
}

async function writeBackup(layout: SiteLayout, out: string): Promise<BackupInfo> {
  const partial = `${out}.partial`;
  try {
    const isRunning = (await liveProcesses(layout.run)).some(({ name }) => name === 'apiserver');
    await (isRunning ? fetchBackup(layout, partial) : copyBackup(layout, partial));
    await chmod(partial, 0o600);
    const info = await checkArchive(partial);
    await rename(partial, out);
    await syncDirectory(dirname(out));
    return info;
  } finally {
    await rm(partial, { force: true });
  }
}

const writeTo = (path: string) => createWriteStream(path, { mode: 0o600, flush: true });

async function fetchBackup({ kubeconfig }: SiteLayout, to: string): Promise<void> {
  const config = await loadKubeconfig(createFiles(), kubeconfig);
  const http = createHttpClient({
    tls: {
      ...(config.ca === undefined ? {} : { ca: config.ca }),
      ...(config.client ? { certificate: config.client.certificate, key: config.client.key.reveal() } : {}),
    },
  });
  try {
    const response = await http.request({ method: 'GET', url: `${config.server}${backupPath}` });
    if (response.status !== 200) {
      throw new Error(`the Kubernetes API answered HTTP ${response.status}: ${(await response.text(16 << 10)).trim()}`);
    }
    await pipeline(response.chunks(), writeTo(to));
  } finally {
    await http.close();
  }
}

async function copyBackup({ api: { directory } }: SiteLayout, to: string): Promise<void> {
  const database = openStoreFile(join(directory, 'store.db'));
  const copy = `${to}.db`;
  try {
    await copyStore(database, directory, copy);
    await pipeline(compress(copy), writeTo(to));
  } finally {
    await database.close();
    await removeStoreFiles(copy);
  }
}
