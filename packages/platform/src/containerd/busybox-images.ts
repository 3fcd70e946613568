// The images that a machine without a registry starts with: a small Linux userland and the pause process, both made of
// the host's static busybox.
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { ImageSpec } from './image.ts';
import { type TarEntry, tarDirectory, tarText } from './tar.ts';

export const busyboxImage = 'docker.io/library/busybox:1.35';
export const pauseImage = 'registry.kedge.local/pause:1';

const passwd = 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n';
const group = 'root:x:0:\nnogroup:x:65534:\n';

export interface BusyboxOptions {
  /** Where the statically linked binary is; Debian's `busybox-static` puts it at the default. */
  readonly binary?: string;
  readonly reference?: string;
  /** More files for the image, such as web pages. */
  readonly files?: readonly TarEntry[];
  readonly command?: readonly string[];
}

/** A userland with every applet of the binary; runs `sh` unless told otherwise. */
export async function busyboxImageSpec(options: BusyboxOptions = {}): Promise<ImageSpec> {
  const { binary = '/bin/busybox', reference = busyboxImage, files = [], command = ['sh'] } = options;
  const content = await readFile(binary);
  const { stdout } = await promisify(execFile)(binary, ['--list']);
  const applets = stdout.split('\n').filter((name) => name !== '' && name !== 'busybox');
  return {
    reference,
    command,
    files: [
      tarDirectory('bin'),
      { type: 'file', path: 'bin/busybox', mode: 0o755, content },
      ...applets.map((name): TarEntry => ({ type: 'symlink', path: `bin/${name}`, target: 'busybox' })),
      ...['dev', 'etc', 'home', 'proc', 'root', 'sys', 'usr', 'var', 'var/log'].map(tarDirectory),
      { type: 'directory', path: 'tmp', mode: 0o1777 },
      tarText('etc/passwd', passwd),
      tarText('etc/group', group),
      ...files,
    ],
  };
}

/** A process that sleeps until it is killed and holds a pod's namespaces meanwhile. */
export async function pauseImageSpec({ binary = '/bin/busybox' }: { binary?: string } = {}): Promise<ImageSpec> {
  return {
    reference: pauseImage,
    entrypoint: ['/busybox', 'sleep', 'infinity'],
    // The first process of a namespace does not hear SIGTERM unless it asks to.
    stopSignal: 'SIGKILL',
    files: [{ type: 'file', path: 'busybox', mode: 0o755, content: await readFile(binary) }],
  };
}
