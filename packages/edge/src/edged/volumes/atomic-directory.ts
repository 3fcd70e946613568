// Writes the files of a volume so that containers see all of an update or nothing of it. The files are in a directory
// named after nothing (`..17`), the link `..data` points at it, and the visible names are links through `..data`:
// one rename switches them all.
import type { Files } from '@kedge/core/ports';
import type { VolumeFile } from './volume-file.ts';

export interface Ownership {
  /** Group of all files; undefined leaves root's. */
  readonly group: number | undefined;
}

/** Returns true when anything changed. `serial` names the new directory and differs from call to call. */
export async function writeAtomicDirectory(
  files: Files,
  directory: string,
  content: readonly VolumeFile[],
  { group, serial }: Ownership & { serial: string },
): Promise<boolean> {
  const link = `${directory}/..data`;
  const before = await files.readLink(link);
  if (before !== undefined && (await holds(files, `${directory}/${before}`, content))) return false;

  const fresh = `..${serial}`;
  await files.makeDirectory(`${directory}/${fresh}`, { mode: 0o755 });
  for (const file of content) await writeFile(files, `${directory}/${fresh}`, file, group);
  const beside = `${directory}/..data_tmp`;
  await files.remove(beside);
  await files.symlink(fresh, beside);
  await files.rename(beside, link);
  await updateNames(files, directory, content);
  if (before !== undefined && before !== fresh) await files.remove(`${directory}/${before}`);
  return true;
}

async function writeFile(files: Files, directory: string, file: VolumeFile, group: number | undefined): Promise<void> {
  const path = `${directory}/${file.path}`;
  const parent = path.slice(0, path.lastIndexOf('/'));
  if (parent !== directory) await files.makeDirectory(parent);
  await files.append(path, file.content);
  // Whoever shares the group may read what its owner may read.
  await files.chmod(path, group === undefined ? file.mode : file.mode | 0o440);
  if (group !== undefined || file.uid !== undefined) await files.chown(path, file.uid ?? 0, group ?? 0);
}

async function updateNames(files: Files, directory: string, content: readonly VolumeFile[]): Promise<void> {
  const wanted = new Set(content.map(({ path }) => path.split('/')[0] ?? ''));
  for (const name of (await files.list(directory)) ?? []) {
    if (!name.startsWith('..') && !wanted.delete(name)) await files.remove(`${directory}/${name}`);
  }
  for (const name of wanted) await files.symlink(`..data/${name}`, `${directory}/${name}`);
}

/** True when the directory has exactly this content. */
async function holds(files: Files, directory: string, content: readonly VolumeFile[]): Promise<boolean> {
  const present = await listBelow(files, directory, '');
  if (present.length !== content.length) return false;
  for (const file of content) {
    const bytes = await files.readBytes(`${directory}/${file.path}`);
    if (!bytes || bytes.length !== file.content.length || bytes.some((byte, at) => byte !== file.content[at]))
      return false;
  }
  return true;
}

async function listBelow(files: Files, directory: string, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await files.list(`${directory}/${prefix}`)) ?? []) {
    const path = prefix + name;
    const info = await files.info(`${directory}/${path}`);
    if (info?.kind === 'directory') found.push(...(await listBelow(files, directory, `${path}/`)));
    else found.push(path);
  }
  return found;
}
