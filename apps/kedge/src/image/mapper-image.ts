// The image of the mappers: Node.js with the libraries it needs, the bundle, and the protocol libraries that are not in it. No shell,
// no package manager, nothing that was not on this machine.
import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ImageSpec, type TarEntry, tarDirectory, tarText } from '@kedge/platform/containerd';
import { kedgeVersion } from '../commands/version.ts';
import { packageFiles } from './package-files.ts';

export const mapperImage = `registry.kedge.local/mapper:${kedgeVersion}`;

/** As in bin/kedge. */
const smallFootprint = [
  '--max-semi-space-size=1',
  '--optimize-for-size',
  '--v8-pool-size=1',
  '--single-threaded-gc',
  '--expose-gc',
];
const bundles = ['kedge-devices.cjs', 'edgecore-mqtt.cjs', 'mapper-opcua.cjs'];
/** Loaded by name when a mapper starts: they bring native code, or are too large for every mapper to carry. */
const loadedByName = ['modbus-serial'];

const passwd = 'root:x:0:0:root:/root:/bin/false\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n';
/** Names are looked up in files, then by DNS; the C library reads it. */
const nsswitch = 'hosts: files dns\n';

/** Made of the installation in `root`. */
export async function mapperImageSpec(root: string, reference: string = mapperImage): Promise<ImageSpec> {
  const files: TarEntry[] = [
    ...['dev', 'etc', 'kedge', 'proc', 'sys', 'var'].map(tarDirectory),
    { type: 'directory', path: 'tmp', mode: 0o1777 },
    tarText('etc/passwd', passwd),
    tarText('etc/nsswitch.conf', nsswitch),
  ];
  const node = process.execPath;
  files.push(await fileFrom(node, 'kedge/node'));
  for (const library of await librariesOf(node)) files.push(await fileFrom(library, library.slice(1)));
  for (const bundle of bundles) files.push(await fileFrom(join(root, 'dist', bundle), `kedge/dist/${bundle}`));
  for (const path of await packageFiles(root, loadedByName)) {
    files.push(await fileFrom(join(root, path), `kedge/${path}`));
  }
  return {
    reference,
    files,
    workingDirectory: '/kedge',
    entrypoint: ['/kedge/node', ...smallFootprint, '/kedge/dist/kedge-devices.cjs'],
    env: ['MALLOC_ARENA_MAX=1', 'UV_THREADPOOL_SIZE=2'],
    command: ['help'],
  };
}

/** The shared libraries of a program and the loader, by the names that are in it. */
async function librariesOf(program: string): Promise<readonly string[]> {
  let output: string;
  try {
    ({ stdout: output } = await promisify(execFile)('ldd', [program]));
  } catch (cause) {
    throw new Error(`"ldd ${program}" failed: an image can be built where glibc's ldd is`, { cause });
  }
  return [...output.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path!);
}

async function fileFrom(from: string, path: string): Promise<TarEntry> {
  const { mode } = await stat(from);
  return { type: 'file', path, mode: mode & 0o111 ? 0o755 : 0o644, content: await readFile(from) };
}
