// DMI v1alpha1, for mappers of KubeEdge before v1.15: its services, and v1beta1's devices and models turned into its own.
// Most edges have no such mapper, so edgecore loads this when the first one calls.
//
//     const { toOldDevice, createOldDeviceMapper } = await import('@kedge/wire/dmi/v1alpha1');
//     await createOldDeviceMapper(transport).updateDevice({ device: toOldDevice(device, model) });
export {
  createOldDeviceManager,
  createOldDeviceMapper,
  serveOldDeviceManager,
  serveOldDeviceMapper,
} from './services.ts';
export type { OldDeviceManager, OldDeviceManagerService, OldDeviceMapper, OldDeviceMapperService } from './services.ts';
export { toOldDevice, toOldModel } from './to-old.ts';
export type { Device as OldDevice, DeviceModel as OldModel, Twin as OldTwin } from './dmi-v1alpha1.generated.ts';
