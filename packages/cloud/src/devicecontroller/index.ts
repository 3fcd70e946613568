// DeviceController: devices and their models on their way to the nodes that have them; what edges report of them.
//
//     const devices = createDeviceController({ ..., sink, samples }, { limits });
//     const hub = createCloudHub({ ..., handlers: { ...edge.handlers, ...devices.handlers } });
export { createDeviceController } from './device-controller.ts';
export type { DeviceController, DeviceControllerConfig, DeviceControllerDeps } from './device-controller.ts';
export { withoutDevices } from './handlers.ts';
export type { DeviceHandlers, DeviceKind } from './handlers.ts';
export { createSampleApi } from './samples/sample-api.ts';
export { createSampleStore, sampleMigrations } from './samples/sample-store.ts';
export type { SampleLimits, SampleQuery, SampleStore, StoredSample } from './samples/sample-store.ts';
export type { DeviceSink } from './sink.ts';
export type { StatusLimits } from './up/status-writer.ts';
