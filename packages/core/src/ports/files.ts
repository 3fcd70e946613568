// The file system and child processes, as far as the edge needs them.

export interface FileInfo {
  readonly kind: 'file' | 'directory' | 'symlink' | 'socket' | 'block' | 'character' | 'other';
  readonly size: number;
  readonly mode: number;
  readonly modifiedMs: number;
  readonly device: number;
}

export interface Files {
  readText(path: string): Promise<string | undefined>;
  readBytes(path: string): Promise<Uint8Array | undefined>;
  /** At most `length` bytes from `start` on; a negative start counts from the end. For files that others write. */
  readPart(path: string, start: number, length: number): Promise<Uint8Array | undefined>;
  /** Writes beside the target, syncs, renames: readers see the old or the new content, never half. */
  writeAtomically(path: string, content: string | Uint8Array, options?: { mode?: number }): Promise<void>;
  append(path: string, content: string | Uint8Array): Promise<void>;
  makeDirectory(path: string, options?: { mode?: number }): Promise<void>;
  list(path: string): Promise<readonly string[] | undefined>;
  info(path: string): Promise<FileInfo | undefined>;
  /** Removes a file or a whole directory; silent when there is none. Never crosses a mount point. */
  remove(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readLink(path: string): Promise<string | undefined>;
  chmod(path: string, mode: number): Promise<void>;
  chown(path: string, uid: number, gid: number): Promise<void>;
  /** What a file or a tree takes of its disk, links not followed, other file systems left out; 0 when there is none. Rejects on abort. */
  usedBytes(path: string, signal?: AbortSignal): Promise<number>;
  space(path: string): Promise<{ totalBytes: number; freeBytes: number; totalInodes: number; freeInodes: number }>;
}

export interface ProcessResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Processes {
  /** Runs to the end; output is cut at 1 MiB each. Rejects only when the program cannot be started. */
  run(
    command: string,
    args: readonly string[],
    options?: {
      input?: string;
      signal?: AbortSignal;
      /** On top of this process's own. */
      env?: Readonly<Record<string, string>>;
    },
  ): Promise<ProcessResult>;
}

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** RFC 9562 version 4, lower case. */
  uuid(): string;
}
