// `kedge restore`: makes a stopped site, or an empty directory, what a backup says. What was there before is put aside,
// never removed.
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, normalize, resolve } from 'node:path';
import {
  apiStoreErrors,
  type BackupFile,
  type BackupInfo,
  readBackup,
  unsealBackup,
} from '@kedge/control-plane/apistore';
import {
  decompress,
  openSamplesFile,
  openStoreFile,
  openUnpacked,
  removeStoreFiles,
  syncDirectory,
  takeSamples,
} from '../backup/backup-archive.ts';
import { type SiteLayout, siteLayout } from '../site/layout.ts';
import { liveProcesses } from '../site/pid-files.ts';
import { CommandLineError } from './command-line-error.ts';

export async function restore(values: Readonly<Record<string, string | boolean | undefined>>): Promise<number> {
  const layout = siteLayout(String(values['data'] ?? './.kedge'));
  if (typeof values['from'] !== 'string') throw new CommandLineError('kedge restore needs --from FILE');
  const from = resolve(values['from']);
  if (!existsSync(from)) throw new CommandLineError(`there is no file ${from}`);
  const running = await liveProcesses(layout.run);
  if (running.length > 0) {
    throw new CommandLineError(
      `the site in ${layout.data} is running; stop it first: kedge down --data ${layout.data}`,
    );
  }
  const { info, samples, aside } = await restoreInto(layout, from);
  const also = samples === undefined ? '' : `, and ${samples} samples of devices,`;
  process.stdout.write(`kedge: ${info.objects} objects as of ${info.madeAt}${also} are restored in ${layout.data}\n`);
  if (aside) process.stdout.write(`kedge: what was there before is in ${aside}\n`);
  return 0;
}

async function restoreInto({ api: { directory }, cloudcore }: SiteLayout, from: string) {
  const store = join(directory, 'store.db');
  const fresh = join(directory, 'restore-under-way');
  await rm(fresh, { recursive: true, force: true });
  try {
    const { info, samples } = await unpack(from, fresh);
    const aside = await putAside(directory, store, samples === undefined ? undefined : cloudcore.samples);
    // Keys before the store: a store without its keys would be given new ones, which no client knows.
    for (const name of ['pki', 'store.db']) {
      if (existsSync(join(fresh, name))) await rename(join(fresh, name), join(directory, name));
    }
    if (samples !== undefined) {
      await mkdir(dirname(cloudcore.samples), { recursive: true, mode: 0o700 });
      await rename(join(fresh, 'samples.db'), cloudcore.samples);
      await syncDirectory(dirname(cloudcore.samples));
    }
    await syncDirectory(directory);
    return { info, samples, aside };
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function unpack(from: string, fresh: string): Promise<{ info: BackupInfo; samples: number | undefined }> {
  await mkdir(fresh, { recursive: true, mode: 0o700 });
  const path = join(fresh, 'store.db');
  await decompress(from, path);
  const copy = openUnpacked(from, path);
  try {
    const { info, files } = readBackup(copy);
    for (const file of files) await writeKeyFile(from, fresh, file);
    const samples = await takeSamples(from, copy, join(fresh, 'samples.db'));
    unsealBackup(copy, info);
    return { info, samples };
  } finally {
    await copy.close();
  }
}

async function writeKeyFile(from: string, fresh: string, { path, mode, content }: BackupFile): Promise<void> {
  // A backup is a file from somewhere: it must not write anywhere else.
  if (normalize(path) !== path || !/^pki\/[^/]+$/.test(path)) {
    throw apiStoreErrors.BAD_BACKUP({ path: from, reason: `it holds a file "${path}", which is out of place` });
  }
  await mkdir(dirname(join(fresh, path)), { recursive: true, mode: 0o700 });
  await writeFile(join(fresh, path), content, { mode: mode & 0o777, flush: true });
}

/** `samples`: only where there are others to take their place. */
async function putAside(directory: string, store: string, samples: string | undefined): Promise<string | undefined> {
  const hasSamples = samples !== undefined && existsSync(samples);
  if (!existsSync(store) && !existsSync(join(directory, 'pki')) && !hasSamples) return undefined;
  if (hasSamples) await openSamplesFile(samples).close();
  if (existsSync(store)) {
    // Also finds a server that still holds the file although nobody knows of it, and takes the log into the file.
    await openStoreFile(store).close();
  }
  const aside = join(directory, `before-restore-${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}`);
  await mkdir(aside, { mode: 0o700 });
  for (const name of ['store.db', 'pki']) {
    if (existsSync(join(directory, name))) await rename(join(directory, name), join(aside, name));
  }
  await removeStoreFiles(store);
  if (hasSamples) {
    await rename(samples, join(aside, 'samples.db'));
    await removeStoreFiles(samples);
  }
  return aside;
}
