// Devices that are OPC UA servers, or behind one: nodes are properties. `browse` finds them.
export { browse } from './browse.ts';
export type { BrowseOptions, FoundVariable } from './browse.ts';
export { createOpcuaMapper } from './driver.ts';
export type { OpcuaDeps } from './driver.ts';
