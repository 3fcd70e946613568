// DeviceController: devices and their models on their way to the nodes that have them; what edges report of them.
export { withoutDevices } from './handlers.ts';
export type { DeviceHandlers, DeviceKind } from './handlers.ts';
