// Modules and the host that runs them.
export { createHost, hostErrors } from './module.ts';
export type { Host, HostOptions, Module } from './module.ts';
