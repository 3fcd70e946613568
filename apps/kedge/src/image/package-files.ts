// The files of npm packages that are needed to run them, dependencies included: for images, which are made of plain files.
import { readdir, readFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What runs; sources, types, maps and texts stay behind. */
const runs = /\.(c?js|json|node|xml)$/;
const neverRuns = new Set(['test', 'tests', 'docs', 'example', 'examples', 'source', '.github', 'node_modules']);

interface PackageJson {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Paths below `root`, sorted. Throws when a package is not installed; what is optional may be missing. */
export async function packageFiles(root: string, names: readonly string[]): Promise<readonly string[]> {
  const files = new Set<string>();
  const seen = new Set<string>();
  const waiting = names.map((name) => ({ name, from: root, optional: false }));
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const folder = findPackage(root, next.from, next.name);
    if (folder === undefined) {
      if (next.optional) continue;
      throw new Error(`npm package "${next.name}" is not installed in ${root}: run "npm install" there`);
    }
    if (seen.has(folder)) continue;
    seen.add(folder);
    const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as PackageJson;
    for (const file of await filesIn(folder)) files.add(file.slice(root.length + 1));
    for (const name of Object.keys(manifest.dependencies ?? {})) waiting.push({ name, from: folder, optional: false });
    for (const name of Object.keys(manifest.optionalDependencies ?? {})) {
      waiting.push({ name, from: folder, optional: true });
    }
  }
  return [...files].sort();
}

/** As Node.js looks for it, and not above `root`. */
function findPackage(root: string, from: string, name: string): string | undefined {
  for (let at = from; at.startsWith(root); at = dirname(at)) {
    const folder = join(at, 'node_modules', name);
    if (existsSync(join(folder, 'package.json'))) return folder;
  }
  return undefined;
}

async function filesIn(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      const foreign = folder.endsWith('/prebuilds') && !entry.name.startsWith(`linux-${process.arch}`);
      if (!neverRuns.has(entry.name) && !foreign) found.push(...(await filesIn(path)));
    } else if (runs.test(entry.name)) found.push(path);
  }
  return found;
}
