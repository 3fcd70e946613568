// Starts a container runtime of its own below a temporary directory, with the busybox and pause images in it, and takes
// all of it away at the end: processes, mounts, interfaces, cgroups.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { busyboxImage } from '@kedge/platform/containerd';
import { openGrpcChannel } from '@kedge/platform/grpc';
import { type Cri, createCri } from '@kedge/wire/cri';
import { containerdMissing, containerdRuntime } from './containerd-runtime.ts';
import { crioMissing, crioRuntime } from './crio-runtime.ts';
import type { RuntimeKind, RuntimeUnderTest } from './runtime-under-test.ts';

const makers = { containerd: containerdRuntime, 'cri-o': crioRuntime } satisfies Record<RuntimeKind, unknown>;
const missing = { containerd: containerdMissing, 'cri-o': crioMissing } satisfies Record<RuntimeKind, unknown>;

/** In a directory that may be missing; nothing is started yet. */
export const runtimeUnderTest = (kind: RuntimeKind, directory: string): RuntimeUnderTest => makers[kind](directory);

/** Why there can be none of this kind here; undefined when there can. Give it to `skip`. */
export const runtimeMissing = (kind: RuntimeKind): string | undefined => missing[kind]();

export interface PrivateRuntime {
  readonly site: RuntimeUnderTest;
  /** Beside the runtime's own things; goes with them. */
  readonly directory: string;
  readonly cri: Cri;
  readonly image: string;
  /** Ends the daemon and starts it again; pods go on meanwhile. */
  restart(): Promise<void>;
  /** Fails when something is left on the host. */
  remove(): Promise<void>;
}

export async function privateRuntime(kind: RuntimeKind): Promise<PrivateRuntime> {
  const directory = await mkdtemp(join(tmpdir(), 'kedge-cri-'));
  const site = runtimeUnderTest(kind, join(directory, 'runtime'));
  try {
    await site.start();
  } catch (error) {
    await site.remove();
    throw error;
  }
  const channel = openGrpcChannel({ socketPath: site.socket });
  return {
    site,
    directory,
    cri: createCri(channel),
    image: busyboxImage,
    async restart() {
      await site.endDaemon();
      await site.start();
    },
    async remove() {
      channel.close();
      const left = await site.remove();
      await rm(directory, { recursive: true, force: true });
      assert.deepEqual(left, [], 'the private runtime left something on the host');
    },
  };
}
