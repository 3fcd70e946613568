// Talking to a Kubernetes API: the interface controllers use, and its implementation over HTTP.
export { patchMediaTypes } from './kube-api.ts';
export type { CallOptions, DeleteOptions, KubeApi, PatchOptions, PatchType, Selection, Target } from './kube-api.ts';
