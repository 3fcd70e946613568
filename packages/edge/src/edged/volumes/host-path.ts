// hostPath volumes: the path has to be what the pod says it is, or is made so.
import type { Files, FileInfo } from '@kedge/core/ports';

const kinds: Readonly<Record<string, FileInfo['kind']>> = {
  Directory: 'directory',
  File: 'file',
  Socket: 'socket',
  CharDevice: 'character',
  BlockDevice: 'block',
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
  return kind === wanted ? undefined : `hostPath type check failed: ${path} is not a ${type}`;
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
