// What a container is given of the node beside what its pod says: devices with all that belongs to them, and processors
// of its own.
import type { Device, Mount } from '@kedge/wire/cri';

export interface Grants {
  /** The container's own variables win. */
  readonly envs: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  readonly devices: readonly Device[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly cdiDevices: readonly string[];
  /** As the kernel lists processors, `2-3,6`; undefined: no say. */
  readonly cpus: string | undefined;
}

export const noGrants: Grants = {
  envs: new Map(),
  mounts: [],
  devices: [],
  annotations: {},
  cdiDevices: [],
  cpus: undefined,
};
