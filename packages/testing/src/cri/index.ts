// A container runtime in memory.
export { FakeCri } from './fake-cri.ts';
export type { FakeCall, FakeContainer, FakeCriOptions, FakeSandbox } from './fake-cri.ts';
