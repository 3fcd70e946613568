// A private container runtime for the tests of one file, and a registry to pull from.
export { containerdMissing } from './containerd-runtime.ts';
export { crioMissing } from './crio-runtime.ts';
export { openImageRegistry } from './image-registry.ts';
export type { ImageRegistry } from './image-registry.ts';
export { privateRuntime, runtimeMissing, runtimeUnderTest } from './private-runtime.ts';
export type { PrivateRuntime } from './private-runtime.ts';
export { runtimeKinds } from './runtime-under-test.ts';
export type { RuntimeKind, RuntimeUnderTest } from './runtime-under-test.ts';
