// Opens a database whose content can be had again from elsewhere: a damaged file is put aside, not repaired.
import { existsSync, renameSync } from 'node:fs';
import { type Database, databaseErrors, type OpenDatabase } from '@kedge/core/ports';
import { type Instant, toTime } from '@kedge/core/time';
import { openDatabase } from './open-database.ts';

export interface Opened {
  readonly database: Database;
  /** Where the damaged file is now; absent when there was none. Whoever opens says so in the log. */
  readonly setAside?: string;
}

export function openOrSetAside(options: OpenDatabase, now: Instant): Opened {
  try {
    return { database: openDatabase(options) };
  } catch (error) {
    if (!databaseErrors.CORRUPT.is(error)) throw error;
    const setAside = `${options.path}.corrupt-${toTime(now).replace(/[-:]/g, '')}`;
    // The log belongs to its database: replayed into a new file it would damage that one too.
    for (const part of ['', '-wal', '-shm', '-journal']) {
      if (existsSync(`${options.path}${part}`)) renameSync(`${options.path}${part}`, `${setAside}${part}`);
    }
    return { database: openDatabase(options), setAside };
  }
}
