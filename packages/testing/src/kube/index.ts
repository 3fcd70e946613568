// A Kubernetes API in memory.
export { createFakeKubeApi } from './fake-kube-api.ts';
export type { FakeKubeApi, FakeKubeApiOptions } from './fake-kube-api.ts';
