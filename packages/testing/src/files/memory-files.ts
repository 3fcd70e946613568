// A file system in memory: directories, files, links, modes and owners, as far as the Files port tells of them. Nothing
// waits for a disk, so tests with a clock that stands still stay deterministic.
import { abortError } from '@kedge/core/flow';
import { type FileInfo, type Files, filesErrors } from '@kedge/core/ports';

interface Owned {
  mode: number;
  uid: number;
  gid: number;
}
type Entry = Owned &
  (
    | { readonly kind: 'directory'; readonly names: Map<string, Entry> }
    | { readonly kind: 'file'; bytes: Uint8Array }
    | { readonly kind: 'symlink'; readonly target: string }
  );
type Directory = Extract<Entry, { kind: 'directory' }>;

export interface MemoryFiles extends Files {
  /** Whom a path belongs to, which the port does not tell. */
  ownerOf(path: string): { readonly uid: number; readonly gid: number } | undefined;
}

function sizeOf(entry: Entry | undefined): number {
  if (entry?.kind === 'file') return entry.bytes.length;
  if (entry?.kind !== 'directory') return 0;
  return [...entry.names.values()].reduce((sum, below) => sum + sizeOf(below), 0);
}

const linksFollowed = 40;
const owned = (mode: number): Owned => ({ mode, uid: 0, gid: 0 });
const newDirectory = (mode = 0o755): Directory => ({ kind: 'directory', names: new Map(), ...owned(mode) });
const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');

export function createMemoryFiles(): MemoryFiles {
  const root = newDirectory();

  /** Follows links on the way, and a link at the end too when told so. */
  function find(path: string, followLast: boolean, depth = 0): Entry | undefined {
    if (depth > linksFollowed) return undefined;
    const parts = partsOf(path);
    let at: Entry = root;
    for (const [index, part] of parts.entries()) {
      if (at.kind !== 'directory') return undefined;
      const next: Entry | undefined = at.names.get(part);
      if (!next) return undefined;
      if (next.kind === 'symlink' && (followLast || index < parts.length - 1)) {
        const base = next.target.startsWith('/') ? '' : `/${parts.slice(0, index).join('/')}`;
        const rest = [next.target, ...parts.slice(index + 1)].join('/');
        return find(normal(`${base}/${rest}`), followLast, depth + 1);
      }
      at = next;
    }
    return at;
  }

  function parentOf(path: string, doing: string): [Directory, string] {
    const parts = partsOf(path);
    const name = parts.pop() ?? '';
    const parent = find(`/${parts.join('/')}`, true);
    if (parent?.kind !== 'directory') throw filesErrors.FAILED({ doing, path, reason: 'there is no such directory' });
    return [parent, name];
  }

  function put(path: string, entry: Entry, doing: string): void {
    const [parent, name] = parentOf(path, doing);
    if (parent.names.get(name)?.kind === 'directory') {
      throw filesErrors.FAILED({ doing, path, reason: 'a directory is in the way' });
    }
    parent.names.set(name, entry);
  }

  const bytesOf = (content: string | Uint8Array): Uint8Array =>
    typeof content === 'string' ? new TextEncoder().encode(content) : Uint8Array.from(content);

  const readBytes = (path: string): Uint8Array | undefined => {
    const entry = find(path, true);
    return entry?.kind === 'file' ? entry.bytes : undefined;
  };

  function existing(path: string, doing: string): Entry {
    const entry = find(path, true);
    if (!entry) throw filesErrors.FAILED({ doing, path, reason: 'there is no such file' });
    return entry;
  }

  return {
    readText: async (path) => {
      const bytes = readBytes(path);
      return bytes && new TextDecoder().decode(bytes);
    },
    readBytes: async (path) => readBytes(path),
    readPart: async (path, start, length) => {
      const bytes = readBytes(path);
      const from = start < 0 ? Math.max(0, (bytes?.length ?? 0) + start) : start;
      return bytes?.subarray(from, from + length);
    },
    writeAtomically: async (path, content, { mode = 0o644 } = {}) =>
      put(path, { kind: 'file', bytes: bytesOf(content), ...owned(mode) }, 'write'),
    append: async (path, content) => {
      const entry = find(path, true);
      if (entry?.kind === 'file') entry.bytes = Buffer.concat([entry.bytes, bytesOf(content)]);
      else put(path, { kind: 'file', bytes: bytesOf(content), ...owned(0o644) }, 'append to');
    },
    makeDirectory: async (path, { mode } = {}) => {
      let at: Directory = root;
      for (const part of partsOf(path)) {
        const next: Entry = at.names.get(part) ?? newDirectory();
        if (next.kind !== 'directory')
          throw filesErrors.FAILED({ doing: 'create', path, reason: 'a file is in the way' });
        at.names.set(part, next);
        at = next;
      }
      if (mode !== undefined) at.mode = mode;
    },
    list: async (path) => {
      const entry = find(path, true);
      return entry?.kind === 'directory' ? [...entry.names.keys()] : undefined;
    },
    info: async (path): Promise<FileInfo | undefined> => {
      const entry = find(path, false);
      if (!entry) return undefined;
      const size = entry.kind === 'file' ? entry.bytes.length : 0;
      return { kind: entry.kind, size, mode: entry.mode, modifiedMs: 0, device: 1 };
    },
    remove: async (path) => {
      const parts = partsOf(path);
      const name = parts.pop() ?? '';
      const parent = find(`/${parts.join('/')}`, true);
      if (parent?.kind === 'directory') parent.names.delete(name);
    },
    rename: async (from, to) => {
      const [parent, name] = parentOf(from, 'rename');
      const entry = parent.names.get(name);
      if (!entry) throw filesErrors.FAILED({ doing: 'rename', path: from, reason: 'there is no such file' });
      put(to, entry, 'rename');
      parent.names.delete(name);
    },
    symlink: async (target, path) => {
      const [parent, name] = parentOf(path, 'link');
      if (parent.names.has(name)) throw filesErrors.FAILED({ doing: 'link', path, reason: 'it exists' });
      parent.names.set(name, { kind: 'symlink', target, ...owned(0o777) });
    },
    readLink: async (path) => {
      const entry = find(path, false);
      return entry?.kind === 'symlink' ? entry.target : undefined;
    },
    chmod: async (path, mode) => {
      existing(path, 'change the mode of').mode = mode;
    },
    chown: async (path, uid, gid) => {
      Object.assign(existing(path, 'change the owner of'), { uid, gid });
    },
    async usedBytes(path, signal) {
      if (signal?.aborted) throw abortError(signal);
      return sizeOf(find(path, false));
    },
    space: async () => ({ totalBytes: 1e12, freeBytes: 5e11, totalInodes: 1e6, freeInodes: 5e5 }),
    ownerOf(path) {
      const entry = find(path, false);
      return entry && { uid: entry.uid, gid: entry.gid };
    },
  };
}

/** Takes `..` out of a path. */
function normal(path: string): string {
  const out: string[] = [];
  for (const part of partsOf(path)) {
    if (part === '..') out.pop();
    else out.push(part);
  }
  return `/${out.join('/')}`;
}
