// Reads a container's log as the runtime writes it: one line each, `<time> <stream> <F|P> <text>`; P says that the line
// goes on in the next one. Bytes stay bytes, since what containers print need not be UTF-8. Source: the CRI log format.
import type { Files } from '@kedge/core/ports';
import { type Clock, type Instant, milliseconds, parseTime } from '@kedge/core/time';

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Lines from the end; undefined: all. */
  readonly tailLines: number | undefined;
  /** Of the answer; undefined: no limit. */
  readonly limitBytes: number | undefined;
  readonly since: Instant | undefined;
  readonly stream: 'stdout' | 'stderr' | undefined;
}

export interface LogSource {
  readonly files: Pick<Files, 'readPart' | 'info'>;
  readonly clock: Clock;
  readonly path: string;
  /** Whether more may come; asked when the end of the file is reached. */
  readonly isWritten: () => boolean;
}

const blockBytes = 64 * 1_024;
/** A longer line than the runtime ever writes in one piece; a file without line ends must not fill the memory. */
const longestLine = 1_024 * 1_024;
const lookEvery = milliseconds(500);
const newline = 0x0a;
const space = 0x20;

/** Pieces of the answer as they can be sent; ends at the end of the log, or when nobody writes it any more. */
export async function* readLog(
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let left = options.limitBytes ?? Number.POSITIVE_INFINITY;
  let offset = options.tailLines === undefined ? 0 : await tailOffset(source, options.tailLines);
  let rest: Uint8Array = new Uint8Array(0);
  let continues = false;
  while (left > 0) {
    signal.throwIfAborted();
    const block = await source.files.readPart(source.path, offset, blockBytes);
    if (!block || block.length === 0) {
      if (!options.follow) return;
      const mayGrow = source.isWritten();
      const size = (await source.files.info(source.path))?.size ?? 0;
      if (size < offset) {
        // The file was rotated: the new one begins at its beginning.
        offset = 0;
        rest = new Uint8Array(0);
      } else if (size === offset) {
        if (!mayGrow) return;
        await source.clock.sleep('log to grow', lookEvery, signal);
      }
      continue;
    }
    offset += block.length;
    const { lines, rest: after } = splitLines(join(rest, block));
    rest = after.length > longestLine ? new Uint8Array(0) : after;
    const out: Uint8Array[] = [];
    for (const line of lines) {
      const entry = parseLine(line);
      if (!entry) continue;
      const isWanted =
        (options.stream === undefined || entry.stream === options.stream) &&
        (options.since === undefined || (parseTime(entry.time) ?? 0) >= options.since);
      if (isWanted) {
        if (options.timestamps && !continues) out.push(bytesOf(`${entry.time} `));
        out.push(entry.text);
        if (!entry.isPartial) out.push(Uint8Array.of(newline));
      }
      continues = entry.isPartial;
    }
    const piece = join(...out);
    if (piece.length > 0) yield piece.subarray(0, Math.min(piece.length, left));
    left -= piece.length;
  }
}

/** Where the last `lines` lines of the file begin. */
async function tailOffset({ files, path }: LogSource, lines: number): Promise<number> {
  let at = (await files.info(path))?.size ?? 0;
  // The end of the last line counts, and so do the lines that only go on: more is read than needed, never less.
  let missing = lines + 1;
  while (at > 0) {
    const length = Math.min(blockBytes, at);
    const block = (await files.readPart(path, at - length, length)) ?? new Uint8Array(0);
    for (let end = block.length; end > 0;) {
      const found = block.lastIndexOf(newline, end - 1);
      if (found < 0) break;
      const isPartial = partialBefore(block, found);
      if (!isPartial) missing -= 1;
      if (missing === 0) return at - length + found + 1;
      end = found;
    }
    at -= length;
  }
  return 0;
}

/** Whether the line that ends at `end` is one that goes on; false where its beginning is in another block. */
function partialBefore(block: Uint8Array, end: number): boolean {
  const start = block.lastIndexOf(newline, end - 1) + 1;
  return start > 0 && parseLine(block.subarray(start, end))?.isPartial === true;
}

interface Entry {
  readonly time: string;
  readonly stream: string;
  readonly isPartial: boolean;
  readonly text: Uint8Array;
}

export function parseLine(line: Uint8Array): Entry | undefined {
  const afterTime = line.indexOf(space);
  const afterStream = line.indexOf(space, afterTime + 1);
  const afterTag = line.indexOf(space, afterStream + 1);
  if (afterTime < 0 || afterStream < 0 || afterTag < 0) return undefined;
  const text = (from: number, to: number): string => new TextDecoder().decode(line.subarray(from, to));
  const tags = text(afterStream + 1, afterTag).split(':');
  return {
    time: text(0, afterTime),
    stream: text(afterTime + 1, afterStream),
    isPartial: tags.includes('P'),
    text: line.subarray(afterTag + 1),
  };
}

function splitLines(bytes: Uint8Array): { lines: Uint8Array[]; rest: Uint8Array } {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return { lines, rest: bytes.subarray(start) };
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
