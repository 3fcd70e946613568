// `kedge backup`: everything the embedded API of a site knows, its keys and the samples of devices included, in one file. A
// running site is asked over its API; one that is stopped is read from its directory.
import { X509Certificate } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { chmod, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { collections, loadKubeconfig } from '@kedge/engine/kube-client';
import { readCloudCoreConfig } from '@kedge/model/componentconfig';
import { createHost } from '@kedge/platform/linux';
import { createFiles, createHttpClient } from '@kedge/platform/node';
import {
  addSamples,
  checkArchive,
  compress,
  copyStore,
  decompress,
  openSamplesFile,
  openStoreFile,
  removeStoreFiles,
  syncDirectory,
} from '../backup/backup-archive.ts';
import { backupPath } from '../backup/serve-backup.ts';
import { openKubeApi } from '../kube-access.ts';
import { type SiteLayout, siteLayout } from '../site/layout.ts';
import { liveProcesses } from '../site/pid-files.ts';
import { CommandLineError } from './command-line-error.ts';
import { readConfigFile } from './config-file.ts';

export async function backup(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  const layout = siteLayout(String(values['data'] ?? './.kedge'));
  if (typeof values['out'] !== 'string') throw new CommandLineError('kedge backup needs --out FILE');
  const out = resolve(values['out']);
  if (existsSync(out)) throw new CommandLineError(`${out} exists already; name another file or remove it first`);
  if (!existsSync(dirname(out))) throw new CommandLineError(`there is no directory ${dirname(out)}`);
  if (!existsSync(join(layout.api.directory, 'store.db'))) {
    throw new CommandLineError(`there is no site with a Kubernetes API in ${layout.data}`);
  }
  const { info, samples } = await writeBackup(layout, out);
  const also = samples === undefined ? '' : `, ${samples} samples of devices`;
  process.stdout.write(
    `kedge: ${out} holds ${info.objects} objects as of revision ${info.revision}${also}, and the keys of the cluster: keep it secret\n`,
  );
  return 0;
}

async function writeBackup(layout: SiteLayout, out: string) {
  const partial = `${out}.partial`;
  const samples = `${out}.samples`;
  try {
    const running = (await liveProcesses(layout.run)).map(({ name }) => name);
    await (running.includes('apiserver') ? fetchBackup(layout, partial) : copyBackup(layout, partial));
    const copySamples = running.includes('cloudcore') ? fetchSamples : copySamplesFile;
    if (await copySamples(layout, samples)) await addSamples(partial, samples);
    await chmod(partial, 0o600);
    const made = await checkArchive(partial);
    await rename(partial, out);
    await syncDirectory(dirname(out));
    return made;
  } finally {
    await rm(partial, { force: true });
    await removeStoreFiles(samples);
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

/** The samples of a stopped site. */
async function copySamplesFile({ cloudcore: { samples } }: SiteLayout, to: string): Promise<boolean> {
  if (!existsSync(samples)) return false;
  const database = openSamplesFile(samples);
  try {
    await database.backupTo(to);
    return true;
  } finally {
    await database.close();
  }
}

/** A running cloudcore holds the file and makes the copy itself. */
async function fetchSamples(layout: SiteLayout, to: string): Promise<boolean> {
  const { config } = readCloudCoreConfig(
    await readConfigFile(layout.cloudcore.config, 'kedge backup'),
    await createHost().facts(),
  );
  if (!config.admission || !config.devices?.samples) return false;
  const access = await openKubeApi(layout.kubeconfig, 'kedge-backup');
  const packed = `${to}.gz`;
  try {
    const secret = await access.api.get(collections.secrets, { namespace: 'kubeedge', name: 'casecret' });
    const { cadata = '' } = (secret['data'] ?? {}) as { readonly cadata?: string };
    const { client } = await loadKubeconfig(createFiles(), layout.kubeconfig);
    const http = createHttpClient({
      tls: {
        ca: new X509Certificate(Buffer.from(cadata, 'base64')).toString(),
        ...(client ? { certificate: client.certificate, key: client.key.reveal() } : {}),
      },
    });
    try {
      const { port } = config.admission;
      const response = await http.request({ method: 'GET', url: `https://localhost:${port}/devices/samples` });
      if (response.status !== 200) {
        const said = (await response.text(16 << 10)).trim();
        throw new Error(`cloudcore did not give the samples of devices: HTTP ${response.status}: ${said}`);
      }
      await pipeline(response.chunks(), writeTo(packed));
    } finally {
      await http.close();
    }
    await decompress(packed, to);
    return true;
  } finally {
    await rm(packed, { force: true });
    await access.close();
  }
}
