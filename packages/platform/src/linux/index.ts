// The machine, its mounts and its cgroups, on Linux: behind the ports Host, Mounts, Cgroups and ProbeNetwork.
export { createCgroups } from './cgroups.ts';
export { createHost } from './host.ts';
export { createMounts } from './mounts.ts';
export { createProbeNetwork } from './probe-network.ts';
