// Where log lines go: standard error, or a file that is cut over when it has grown enough. Written at once, so that
// the last line before a crash is there; a log that cannot be written never stops the program.
import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { formatRecord, type LogRecord } from '@kedge/core/log';

export type LogWriter = (record: LogRecord) => void;

const standardError = 2;

export const writeToStandardError: LogWriter = (record) => writeLine(standardError, `${formatRecord(record)}\n`);

/** Appends to `path`; at `limit` bytes the file becomes `<path>.1`, replacing the one before. */
export function openLogFile(path: string, limit = 16 * 1024 * 1024): { write: LogWriter; close: () => void } {
  mkdirSync(dirname(path), { recursive: true });
  let file = openSync(path, 'a', 0o640);
  let size = statSync(path).size;
  return {
    write(record) {
      const line = `${formatRecord(record)}\n`;
      if (size > 0 && size + line.length > limit) {
        closeSync(file);
        renameSync(path, `${path}.1`);
        file = openSync(path, 'a', 0o640);
        size = 0;
      }
      size += Buffer.byteLength(line);
      writeLine(file, line);
    },
    close: () => closeSync(file),
  };
}

function writeLine(file: number, line: string): void {
  try {
    writeSync(file, line);
  } catch {
    // The disk is full or the reader has gone.
  }
}
