// One suite per interface with several implementations: the fake and the real one pass the same.
export { describeKubeApi } from './kube-api.ts';
export type { KubeApiUnderTest } from './kube-api.ts';
