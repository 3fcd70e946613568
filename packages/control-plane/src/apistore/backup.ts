// A backup is a copy of the store with a few files beside the objects: the keys and certificates without which no client
// would know the restored server. It is one SQLite file, so that it can be looked into with ordinary tools.
import type { Database } from '@kedge/core/ports';
import { type Clock, toTime } from '@kedge/core/time';
import { apiStoreErrors } from './store-errors.ts';

export interface BackupFile {
  /** Relative to the directory of the server. */
  readonly path: string;
  readonly mode: number;
  readonly content: Uint8Array;
}

export interface BackupInfo {
  readonly format: number;
  /** RFC 3339. */
  readonly madeAt: string;
  /** Of the program that made it. */
  readonly version: string;
  readonly revision: number;
  readonly objects: number;
}

const format = 1;
/** As etcd's manual advises: more than anybody has written since the backup was made. */
const revisionsSkipped = 1_000_000_000;

/** Turns a fresh copy of the store into a backup. */
export function sealBackup(
  copy: Database,
  { clock, version, files }: { readonly clock: Clock; readonly version: string; readonly files: readonly BackupFile[] },
): BackupInfo {
  const info: BackupInfo = {
    format,
    madeAt: toTime(clock.now()),
    version,
    revision: revisionOf(copy),
    objects: countOf(copy),
  };
  copy.writeNow(() => {
    copy
      .statement(
        'create table backup_info (only_row integer primary key check (only_row = 1), info text not null) strict',
      )
      .run();
    copy
      .statement(
        'create table backup_files (path text primary key, mode integer not null, content blob not null) strict',
      )
      .run();
  });
  copy.writeNow(() => {
    copy.statement('insert into backup_info values (1, ?)').run(JSON.stringify(info));
    const insert = copy.statement('insert into backup_files values (?, ?, ?)');
    for (const { path, mode, content } of files) insert.run(path, mode, content);
  });
  return info;
}

/** Puts a file of any size into a sealed backup; a name is used once. */
export async function attachToBackup(copy: Database, name: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  copy.writeNow(() =>
    copy
      .statement(
        'create table if not exists backup_attachments (name text, n integer, content blob not null, primary key (name, n)) strict',
      )
      .run(),
  );
  const insert = copy.statement('insert into backup_attachments values (?, ?, ?)');
  let n = 0;
  for await (const chunk of chunks) copy.writeNow(() => insert.run(name, (n += 1), chunk));
}

/** The file, piece by piece; undefined when there is none. */
export function readAttachment(copy: Database, name: string): Iterable<Uint8Array> | undefined {
  if (!hasAttachments(copy)) return undefined;
  const { n } = copy.statement<{ n: number }>('select count(*) as n from backup_attachments where name = ?').get(name)!;
  if (n === 0) return undefined;
  const select = copy.statement<{ content: Uint8Array }>(
    'select content from backup_attachments where name = ? and n = ?',
  );
  return (function* () {
    for (let at = 1; at <= n; at++) {
      const row = select.get(name, at);
      if (!row) throw apiStoreErrors.BAD_BACKUP({ path: copy.path, reason: `piece ${at} of ${name} is missing` });
      yield row.content;
    }
  })();
}

const hasAttachments = (copy: Database): boolean =>
  copy.statement("select 1 from sqlite_schema where type = 'table' and name = 'backup_attachments'").get() !==
  undefined;

/** What a backup says of itself and the files in it; changes nothing. Throws APISTORE_BAD_BACKUP. */
export function readBackup(copy: Database): { readonly info: BackupInfo; readonly files: readonly BackupFile[] } {
  const refuse = (reason: string): Error => apiStoreErrors.BAD_BACKUP({ path: copy.path, reason });
  const [finding] = copy.statement<{ integrity_check: string }>('pragma integrity_check(1)').all();
  if (finding?.integrity_check !== 'ok') throw refuse(`it is damaged: ${finding?.integrity_check ?? 'no answer'}`);
  const tables = copy
    .statement<{ name: string }>(
      "select name from sqlite_schema where type = 'table' and name in ('backup_info', 'backup_files')",
    )
    .all();
  if (tables.length !== 2) throw refuse('it was not made by "kedge backup"');
  const written = copy.statement<{ info: string }>('select info from backup_info').get()?.info ?? 'null';
  const info = JSON.parse(written) as BackupInfo | null;
  if (info?.format !== format) throw refuse(`its format ${info?.format ?? '?'} is not one that this version knows`);
  const objects = countOf(copy);
  if (objects !== info.objects) throw refuse(`it holds ${objects} objects, not the ${info.objects} it was made with`);
  const files = copy
    .statement<BackupFile & Record<string, never>>('select path, mode, content from backup_files')
    .all();
  return { info, files };
}

/**
 * Turns a backup into a store that a server can open. All objects get new versions when it starts, far above what the
 * earlier server had given out: nobody takes what they have seen for newer than what is restored.
 */
export function unsealBackup(copy: Database, { revision }: BackupInfo): void {
  const isLarge = hasAttachments(copy);
  copy.writeNow(() => {
    if (isLarge) copy.statement('drop table backup_attachments').run();
    copy.statement('drop table backup_info').run();
    copy.statement('drop table backup_files').run();
    copy.statement('delete from history').run();
    const from = revision + revisionsSkipped;
    copy.statement('update compaction set revision = ?, renew_from = ?').run(from, from);
  });
  // Gives back what the attachments took.
  if (isLarge) copy.statement('vacuum').run();
}

const revisionOf = (database: Database): number =>
  Math.max(
    database.statement<{ revision: number }>('select revision from compaction').get()?.revision ?? 0,
    database.statement<{ revision: number | null }>('select max(revision) as revision from history').get()?.revision ??
      0,
  );
const countOf = (database: Database): number =>
  database.statement<{ n: number }>('select count(*) as n from objects').get()?.n ?? 0;
