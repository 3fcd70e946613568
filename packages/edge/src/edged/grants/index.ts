// What only some nodes have: device plugins and processors of a container's own. Loaded when a pod or the configuration
// needs it, from a file of its own beside the daemon.
export { createCpuManager, type CpuManager } from './cpu-manager.ts';
export { createDevicePlugins, type DevicePlugins } from './device-plugins.ts';
export { formatCpus, parseCpus } from './plan-cpus.ts';
