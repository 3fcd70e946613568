// A private containerd for the tests of one file.
export { containerdMissing, privateContainerd } from './private-containerd.ts';
export type { PrivateContainerd } from './private-containerd.ts';
