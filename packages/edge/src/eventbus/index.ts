// The edge's devices for MQTT clients, on the topics that KubeEdge has: read and set twins, hear of changes.
//
//     const bus = createEventBus({ clock, log, random, files, openMqtt, twins: deviceTwin }, { node, broker });
export { createEventBus } from './event-bus.ts';
export type { EventBus, EventBusConfig, EventBusDeps } from './event-bus.ts';
export type { InsideBrokerConfig } from './inside-broker.ts';
export type { DeviceTwins, TwinChange, TwinWatcher } from './ports.ts';
