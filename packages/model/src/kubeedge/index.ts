// KubeEdge's own resources.
export { clusterObjectSyncs, objectSyncs } from './reliablesyncs.ts';
export type { ObjectSync } from './reliablesyncs.ts';
