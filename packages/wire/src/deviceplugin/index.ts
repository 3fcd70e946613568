// The device plugin API of Kubernetes (v1beta1): messages generated from deviceplugin.proto, and both its services over
// any transport.
export { createDevicePlugin, registerDevicePlugin, serveRegistration, type DevicePlugin } from './services.ts';
export {
  AllocateRequest,
  AllocateResponse,
  ContainerAllocateResponse,
  ListAndWatchResponse,
  PreferredAllocationRequest,
  PreferredAllocationResponse,
  PreStartContainerRequest,
} from './deviceplugin.generated.ts';
export type { Whole } from '../protobuf/index.ts';
export type { RegisterRequest } from './deviceplugin.generated.ts';
