// A path inside a volume that a container mounts instead of the whole. Links are followed inside the volume only: what a
// container has written there must not lead the next mount to the host's files.
import type { Files } from '@kedge/core/ports';

const linksFollowed = 40;

/** The names from the volume down, with its links followed; what is missing is left so. A result without them says why there are none. */
export async function resolveSubPath(
  files: Files,
  volume: string,
  subPath: string,
): Promise<{ readonly inside: readonly string[] } | { readonly problem: string }> {
  let left = subPath.split('/').filter((part) => part !== '' && part !== '.');
  let at: string[] = [];
  let links = 0;
  while (left.length > 0) {
    const [part = '', ...rest] = left;
    left = rest;
    if (part === '..') {
      if (at.length === 0) return { problem: `subPath "${subPath}" leads out of the volume` };
      at = at.slice(0, -1);
      continue;
    }
    const path = [volume, ...at, part].join('/');
    const info = await files.info(path);
    if (info?.kind !== 'symlink') {
      at = [...at, part];
      continue;
    }
    const target = (await files.readLink(path)) ?? '';
    if (target.startsWith('/') || ++links > linksFollowed) {
      return { problem: `subPath "${subPath}" leads out of the volume` };
    }
    left = [...target.split('/').filter((name) => name !== '' && name !== '.'), ...left];
  }
  return { inside: at };
}
