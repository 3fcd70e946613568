// EdgeController: pods, ConfigMaps and Secrets on their way down; registrations, status, leases, tokens and events up.
//
//     const locations = new Locations();                     // also answers "does a pod there refer to this Secret?"
//     const edge = createEdgeController({ ..., sink: outboxes, locations });
//     const hub = createCloudHub({ ..., handlers: edge.handlers });
export { createEdgeController } from './edge-controller.ts';
export type { EdgeController, EdgeControllerDeps } from './edge-controller.ts';
export { isEdgeNode, wantsItsNode } from './edge-nodes.ts';
export { Locations } from './locations.ts';
export { significance } from './significance.ts';
export type { Delete, ObjectSink, Put } from './sink.ts';
export type { Answer, EdgeHandlers } from './up/answer.ts';
export type { Verdicts } from './verdicts.ts';
