// A backup as a file: the copied store with the server's keys inside, compressed. The compression's checksum covers every
// byte, so a damaged file is found before anything is read from it.
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { sampleMigrations } from '@kedge/cloud/devicecontroller';
import {
  apiStoreErrors,
  apiStoreMigrations,
  attachToBackup,
  type BackupFile,
  type BackupInfo,
  readAttachment,
  readBackup,
  sealBackup,
} from '@kedge/control-plane/apistore';
import { explain } from '@kedge/core/errors';
import type { Database } from '@kedge/core/ports';
import { systemClock } from '@kedge/platform/node';
import { openDatabase } from '@kedge/platform/sqlite';
import { kedgeVersion } from '../commands/version.ts';

/** Samples of devices, as cloudcore keeps them. */
const samplesName = 'samples.db';

export const openStoreFile = (path: string): Database =>
  openDatabase({ path, migrations: apiStoreMigrations, durability: 'full' });

/** Copies the open store of a server's directory to `to`, uncompressed, and puts the keys in. */
export async function copyStore(database: Database, directory: string, to: string): Promise<BackupInfo> {
  await database.backupTo(to);
  await chmod(to, 0o600);
  const copy = openStoreFile(to);
  try {
    return sealBackup(copy, { clock: systemClock, version: kedgeVersion, files: await keyFiles(directory) });
  } finally {
    await copy.close();
  }
}

async function keyFiles(directory: string): Promise<BackupFile[]> {
  const folder = join(directory, 'pki');
  const names = await readdir(folder).catch(() => []);
  return Promise.all(
    names.map(async (name) => {
      const path = join(folder, name);
      const { mode } = await stat(path);
      return { path: relative(directory, path), mode: mode & 0o777, content: new Uint8Array(await readFile(path)) };
    }),
  );
}

export const compress = (from: string): AsyncIterable<Uint8Array> => createReadStream(from).pipe(createGzip());

/** A copy that `copyTo` makes at `path`, compressed; it is removed when it has been read. */
export async function* packCopy(copyTo: (path: string) => Promise<void>, path: string): AsyncIterable<Uint8Array> {
  try {
    await removeStoreFiles(path);
    await copyTo(path);
    yield* compress(path);
  } finally {
    await removeStoreFiles(path);
  }
}

export const openSamplesFile = (path: string): Database =>
  openDatabase({ path, migrations: sampleMigrations, durability: 'full' });

/** Puts a copy of cloudcore's samples into a finished backup. */
export async function addSamples(archive: string, samples: string): Promise<void> {
  const unpacked = `${archive}.db`;
  try {
    await decompress(archive, unpacked);
    const copy = openStoreFile(unpacked);
    try {
      await attachToBackup(copy, samplesName, createReadStream(samples, { highWaterMark: 1 << 20 }));
    } finally {
      await copy.close();
    }
    await pipeline(compress(unpacked), createWriteStream(archive, { mode: 0o600, flush: true }));
  } finally {
    await removeStoreFiles(unpacked);
  }
}

/** Writes the samples of an unpacked backup to `to`, checked; undefined when it has none. */
export async function takeSamples(archive: string, copy: Database, to: string): Promise<number | undefined> {
  const chunks = readAttachment(copy, samplesName);
  if (!chunks) return undefined;
  await pipeline(chunks, createWriteStream(to, { mode: 0o600, flush: true }));
  const refuse = (reason: string, cause?: unknown): Error =>
    apiStoreErrors.BAD_BACKUP({ path: archive, reason: `samples of devices: ${reason}` }, cause);
  const samples = await Promise.resolve()
    .then(() => openSamplesFile(to))
    .catch((error: unknown) => Promise.reject(refuse(explain(error), error)));
  try {
    const [finding] = samples.statement<{ integrity_check: string }>('pragma integrity_check(1)').all();
    if (finding?.integrity_check !== 'ok') throw refuse(finding?.integrity_check ?? 'no answer');
    return samples.statement<{ n: number }>('SELECT count(*) AS n FROM sample').get()?.n ?? 0;
  } finally {
    await samples.close();
  }
}

/** Throws APISTORE_BAD_BACKUP for anything that does not decompress to its end. */
export async function decompress(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true, mode: 0o700 });
  try {
    await pipeline(createReadStream(from), createGunzip(), createWriteStream(to, { mode: 0o600 }));
  } catch (error) {
    await rm(to, { force: true });
    throw apiStoreErrors.BAD_BACKUP({ path: from, reason: explain(error) }, error);
  }
}

/** Reads a whole backup as a restore would, and leaves nothing. */
export async function checkArchive(path: string): Promise<{ info: BackupInfo; samples: number | undefined }> {
  const unpacked = `${path}.check`;
  try {
    await decompress(path, unpacked);
    const copy = openUnpacked(path, unpacked);
    try {
      const { info } = readBackup(copy);
      return { info, samples: await takeSamples(path, copy, `${path}.samples`) };
    } finally {
      await copy.close();
    }
  } finally {
    await removeStoreFiles(unpacked);
    await removeStoreFiles(`${path}.samples`);
  }
}

/** What was decompressed may be anything. */
export function openUnpacked(archive: string, unpacked: string): Database {
  try {
    return openStoreFile(unpacked);
  } catch (error) {
    throw apiStoreErrors.BAD_BACKUP({ path: archive, reason: explain(error) }, error);
  }
}

export async function removeStoreFiles(path: string): Promise<void> {
  for (const suffix of ['', '-wal', '-shm', '-journal']) await rm(`${path}${suffix}`, { force: true });
}

/** Names survive a power cut from here on. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
