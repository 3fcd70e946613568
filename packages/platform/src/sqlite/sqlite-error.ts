// Turns a failure of SQLite into one that says who must act.
import { codeOf } from '@kedge/core/errors';
import { databaseErrors } from '@kedge/core/ports';
import { lockHolder } from './lock-holder.ts';

// Primary result codes, https://www.sqlite.org/rescode.html
const busy = 5;
const locked = 6;
const readOnly = 8;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const notADatabase = 26;

export function toDatabaseError(path: string, error: unknown): Error {
  if (codeOf(error) !== undefined) return error as Error;
  const { errcode, message } = error as Error & { errcode?: number };
  // Not from SQLite: a defect of the caller, which must not look like one of the disk.
  if (errcode === undefined) return error instanceof Error ? error : new Error(String(error));
  switch (errcode & 0xff) {
    case busy:
    case locked:
      return databaseErrors.LOCKED({ path, holder: lockHolder(path) }, error);
    case corrupt:
    case notADatabase:
      return databaseErrors.CORRUPT({ path, reason: message }, error);
    case full:
      return databaseErrors.FULL({ path }, error);
    case readOnly:
    case cannotOpen:
      return databaseErrors.CANNOT_OPEN({ path, reason: message }, error);
    default:
      return databaseErrors.FAILED({ path, reason: message }, error);
  }
}
