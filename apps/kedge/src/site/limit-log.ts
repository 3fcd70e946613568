// Keeps the log file of a running process from filling the disk. The process goes on writing to the file it has open, for
// appending, so the file is emptied in place; what is written between copying and emptying is lost.
import { copyFileSync, statSync, truncateSync } from 'node:fs';

const limitBytes = 20 << 20;

/** Moves the content of a log that has grown too large to `<path>.1`, in place of what was there. Throws when the disk is full. */
export function limitLog(path: string, limit = limitBytes): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) <= limit) return;
  try {
    copyFileSync(path, `${path}.1`);
  } finally {
    // A full disk is the last reason to keep it.
    truncateSync(path);
  }
}
