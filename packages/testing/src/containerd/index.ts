// A private containerd for the tests of one file, and a registry to pull from.
export { openImageRegistry } from './image-registry.ts';
export type { ImageRegistry } from './image-registry.ts';
export { containerdMissing, privateContainerd } from './private-containerd.ts';
export type { PrivateContainerd } from './private-containerd.ts';
