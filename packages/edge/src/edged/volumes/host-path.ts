// hostPath volumes: the path has to be what the pod says it is, or is made so.
import type { Files, FileInfo } from '@kedge/core/ports';

/** Named in messages as the kubelet does. */
const kinds: Readonly<Record<string, { readonly kind: FileInfo['kind']; readonly name: string }>> = {
  Directory: { kind: 'directory', name: 'directory' },
  File: { kind: 'file', name: 'file' },
  Socket: { kind: 'socket', name: 'socket file' },
  CharDevice: { kind: 'character', name: 'character device' },
  BlockDevice: { kind: 'block', name: 'block device' },
};

/** Returns what is wrong, or undefined. */
export async function checkHostPath(files: Files, path: string, type: string): Promise<string | undefined> {
  if (type === '') return undefined;
  const kind = await kindBehindLinks(files, path);
  if (type === 'DirectoryOrCreate') {
    if (kind === undefined) await files.makeDirectory(path, { mode: 0o755 });
    return kind === undefined || kind === 'directory' ? undefined : `${path} is not a directory`;
  }
  if (type === 'FileOrCreate') {
    if (kind === undefined) await files.append(path, '');
    return kind === undefined || kind === 'file' ? undefined : `${path} is not a file`;
  }
  const wanted = kinds[type];
  if (!wanted) return `hostPath type "${type}" is not known`;
  return kind === wanted.kind ? undefined : `hostPath type check failed: ${path} is not a ${wanted.name}`;
}

const linksFollowed = 40;

async function kindBehindLinks(files: Files, path: string): Promise<FileInfo['kind'] | undefined> {
  let at = path;
  for (let step = 0; step < linksFollowed; step++) {
    const info = await files.info(at);
    if (info?.kind !== 'symlink') return info?.kind;
    const target = (await files.readLink(at)) ?? '';
    at = target.startsWith('/') ? target : `${at.slice(0, at.lastIndexOf('/'))}/${target}`;
  }
  return undefined;
}
