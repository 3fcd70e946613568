// Starts a containerd of its own below a temporary directory, with the busybox and pause images in it, and takes all of
// it away at the end: processes, mounts, interfaces, cgroups.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Cri, createCri } from '@kedge/wire/cri';
import {
  busyboxImage,
  type ContainerdSite,
  containerdSite,
  importBaseImages,
  removeContainerd,
  startContainerd,
  stopContainerdDaemon,
  writeContainerdConfig,
} from '@kedge/platform/containerd';
import { openGrpcChannel } from '@kedge/platform/grpc';

export interface PrivateContainerd {
  readonly site: ContainerdSite;
  /** Beside containerd's own things; goes with them. */
  readonly directory: string;
  readonly cri: Cri;
  readonly image: string;
  /** Ends the daemon and starts it again; pods go on meanwhile. */
  restart(): Promise<void>;
  /** Fails when something is left on the host. */
  remove(): Promise<void>;
}

/** Why there can be no private containerd here; undefined when there can. Give it to `skip`. */
export function containerdMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  const has = (name: string): boolean =>
    (process.env['PATH'] ?? '').split(':').some((directory) => existsSync(join(directory, name)));
  const missing = ['containerd', 'ctr', 'runc'].filter((name) => !has(name));
  if (!existsSync('/bin/busybox')) missing.push('/bin/busybox (busybox-static)');
  return missing.length > 0 ? `not on this host: ${missing.join(', ')}` : undefined;
}

export async function privateContainerd(): Promise<PrivateContainerd> {
  const directory = await mkdtemp(join(tmpdir(), 'kedge-cri-'));
  const site = containerdSite(join(directory, 'containerd'));
  await writeContainerdConfig(site);
  try {
    await startContainerd(site);
    await importBaseImages(site);
  } catch (error) {
    await removeContainerd(site);
    throw error;
  }
  const channel = openGrpcChannel({ socketPath: site.socket });
  return {
    site,
    directory,
    cri: createCri(channel),
    image: busyboxImage,
    async restart() {
      await stopContainerdDaemon(site);
      await startContainerd(site);
    },
    async remove() {
      channel.close();
      const left = await removeContainerd(site);
      await rm(directory, { recursive: true, force: true });
      assert.deepEqual(left, [], 'the private containerd left something on the host');
    },
  };
}
