// What the API fills in where a pod leaves something open.
//
//     const pod = defaultPod({ ...manifest, metadata });
export { defaultPullPolicy } from './container-defaults.ts';
export { defaultPod, defaultPodSpec, defaultPodTemplate } from './pod-defaults.ts';
