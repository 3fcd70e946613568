// Where a private containerd keeps its things and how it is named on the host. All of it follows from one directory,
// so whoever knows the directory can start, find, stop and clean, from any process.
import { createHash } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** A Unix socket's path holds 107 bytes; containerd adds ".ttrpc" to ours. */
const longestSocketPath = 100;

export interface ContainerdSite {
  readonly directory: string;
  /** Eight hexadecimal digits, the same for the same directory. */
  readonly id: string;
  /** Survives: images, snapshots, metadata. */
  readonly root: string;
  /** Does not survive `stopContainerd`, as /run does not survive a reboot. */
  readonly state: string;
  readonly socket: string;
  readonly configFile: string;
  readonly cniDirectory: string;
  readonly registryDirectory: string;
  readonly logFile: string;
  readonly pidFile: string;
  /** Parent of the cgroups of every pod of this site; what edged is configured with. */
  readonly cgroupRoot: string;
  readonly bridge: string;
  readonly network: string;
}

/** Creates the directory when it is missing; the id follows its real path. */
export function containerdSite(directory: string): ContainerdSite {
  mkdirSync(directory, { recursive: true });
  const real = realpathSync(directory);
  const id = createHash('sha256').update(real).digest('hex').slice(0, 8);
  const inside = join(real, 'containerd.sock');
  return {
    directory: real,
    id,
    root: join(real, 'root'),
    state: join(real, 'state'),
    socket: inside.length <= longestSocketPath ? inside : `/run/kedge-${id}/containerd.sock`,
    configFile: join(real, 'config.toml'),
    cniDirectory: join(real, 'cni'),
    registryDirectory: join(real, 'registries'),
    logFile: join(real, 'containerd.log'),
    pidFile: join(real, 'containerd.pid'),
    cgroupRoot: `/kedge-${id}`,
    bridge: `kedge${id}`,
    network: `kedge-${id}`,
  };
}
