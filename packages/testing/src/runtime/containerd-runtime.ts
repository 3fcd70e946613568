// A containerd below a directory of its own.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { rm } from 'node:fs/promises';
import {
  containerdPid,
  containerdSite,
  importBaseImages,
  importImages,
  removeContainerd,
  startContainerd,
  stopContainerd,
  stopContainerdDaemon,
  writeContainerdConfig,
  writeImageArchive,
} from '@kedge/platform/containerd';
import { programsMissing } from './programs.ts';
import type { RuntimeUnderTest } from './runtime-under-test.ts';

const run = promisify(execFile);

/** Why there can be no private containerd here; undefined when there can. Give it to `skip`. */
export const containerdMissing = (): string | undefined => programsMissing(['containerd', 'ctr', 'runc']);

export function containerdRuntime(directory: string): RuntimeUnderTest {
  const site = containerdSite(directory);
  return {
    kind: 'containerd',
    socket: site.socket,
    cgroupRoot: site.cgroupRoot,
    marks: [site.cgroupRoot.slice(1), site.bridge],
    pauseProcesses: 1,
    async start(more = []) {
      await writeContainerdConfig(site);
      await startContainerd(site);
      await importBaseImages(site, more);
    },
    async load(images) {
      const archive = join(site.directory, 'more-images.tar');
      await writeImageArchive(archive, images);
      await importImages(site, archive);
      await rm(archive);
    },
    pid: () => containerdPid(site),
    endDaemon: () => stopContainerdDaemon(site),
    stop: () => stopContainerd(site),
    remove: () => removeContainerd(site),
    async running() {
      const { stdout } = await run('ctr', ['--address', site.socket, '--namespace', 'k8s.io', 'tasks', 'list']);
      const tasks = new Map<string, number>();
      for (const line of stdout.trim().split('\n').slice(1)) {
        const [id, pid, state] = line.split(/\s+/);
        if (id && state === 'RUNNING') tasks.set(id, Number(pid));
      }
      return tasks;
    },
  };
}
