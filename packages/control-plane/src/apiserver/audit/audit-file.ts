// The audit log on disk: one JSON object a line, cut over by size, old files removed by number and age. Requests never wait
// for the disk: lines queue up to a bound, and what does not fit is counted and told.
import type { Log } from '@kedge/core/log';
import type { Files } from '@kedge/core/ports';
import { Wakeup } from '@kedge/core/flow';
import { type Clock, days, minus, seconds, toMilliTime } from '@kedge/core/time';

export interface AuditFileConfig {
  readonly path: string;
  /** Bytes after which a new file is begun. */
  readonly maxBytes: number;
  /** How many finished files are kept; 0: all. */
  readonly maxBackups: number;
  /** Days after which finished files go; 0: never. */
  readonly maxAgeDays: number;
}

export interface AuditFile {
  /** Never waits. */
  write(line: string): void;
  /** Runs until the signal; then writes what is left. */
  run(signal: AbortSignal): Promise<void>;
}

const maxQueued = 8 << 20;
const pieceBytes = 1 << 20;
const retry = seconds(5);

export function createAuditFile(
  deps: { readonly files: Files; readonly clock: Clock; readonly log: Log },
  config: AuditFileConfig,
): AuditFile {
  const { files, clock, log } = deps;
  const { path } = config;
  const wakeup = new Wakeup();
  let queue: string[] = [];
  let queued = 0;
  let dropped = 0;
  let size: number | undefined;

  function write(line: string): void {
    if (queued + line.length > maxQueued) {
      dropped++;
      return;
    }
    queue.push(line);
    queued += line.length + 1;
    wakeup.wake();
  }

  function take(): string {
    let at = 0;
    let length = 0;
    while (at < queue.length && (at === 0 || length + queue[at]!.length < pieceBytes))
      length += queue[at++]!.length + 1;
    const piece = queue.slice(0, at);
    queue = queue.slice(at);
    queued -= length;
    return `${piece.join('\n')}\n`;
  }

  async function flush(): Promise<void> {
    while (queue.length > 0) {
      size ??= (await files.info(path))?.size ?? 0;
      const text = take();
      if (size > 0 && size + text.length > config.maxBytes) await cutOver();
      try {
        await files.append(path, text);
        size += text.length;
      } catch (error) {
        queue = [text.slice(0, -1), ...queue];
        queued += text.length;
        throw error;
      }
    }
  }

  /** `audit.log` becomes `audit-2026-01-31T10-00-00.000.log`. */
  async function cutOver(): Promise<void> {
    const { directory, stem, ending } = partsOf(path);
    const time = toMilliTime(clock.now()).replaceAll(':', '-').replace('Z', '');
    await files.rename(path, `${directory}${stem}-${time}${ending}`);
    size = 0;
    await removeOld();
  }

  async function removeOld(): Promise<void> {
    const { directory, stem, ending } = partsOf(path);
    const finished = ((await files.list(directory || '.')) ?? [])
      .filter((name) => name.startsWith(`${stem}-`) && name.endsWith(ending) && name !== `${stem}${ending}`)
      .sort()
      .toReversed();
    const oldest = config.maxAgeDays > 0 ? toMilliTime(minus(clock.now(), days(config.maxAgeDays))) : '';
    for (const [at, name] of finished.entries()) {
      const since = name.slice(stem.length + 1, name.length - ending.length);
      const isOld = oldest !== '' && since < oldest.replaceAll(':', '-');
      if (isOld || (config.maxBackups > 0 && at >= config.maxBackups)) await files.remove(`${directory}${name}`);
    }
  }

  return {
    write,
    async run(signal) {
      while (!signal.aborted) {
        try {
          await flush();
          if (dropped > 0) {
            log.warn('audit events were dropped: the disk is too slow', { count: dropped });
            dropped = 0;
          }
          await wakeup.wait(signal);
        } catch (error) {
          if (signal.aborted) break;
          log.error('the audit log cannot be written', { path, err: error });
          await clock.sleep('the audit log to be written', retry, signal).catch(() => undefined);
        }
      }
      await flush();
    },
  };
}

function partsOf(path: string): { directory: string; stem: string; ending: string } {
  const slash = path.lastIndexOf('/') + 1;
  const name = path.slice(slash);
  const dot = name.lastIndexOf('.');
  const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, ''];
  return { directory: path.slice(0, slash), stem, ending };
}
