// DMI v1beta1, between edgecore and mappers: messages generated from dmi.proto, both services over any transport
// (see `@kedge/wire/rpc`), and devices as DMI carries them.
//
//     const { deviceList } = await createDeviceManager(transport).mapperRegister({ withData: true, mapper });
//     const handlers = serveDeviceMapper({ registerDevice: async ({ device }) => ..., ... });
export { fromAny, toAny } from './config-values.ts';
export type { ConfigValue } from './config-values.ts';
export { createDeviceManager, createDeviceMapper, serveDeviceManager, serveDeviceMapper } from './services.ts';
export type { DeviceManager, DeviceManagerService, DeviceMapper, DeviceMapperService } from './services.ts';
export { toDmiDevice, toDmiModel } from './to-dmi.ts';
export type { ToDmi } from './to-dmi.ts';
export type {
  Condition as DmiCondition,
  CustomizedValue,
  Device as DmiDevice,
  DeviceModel as DmiModel,
  DeviceProperty as DmiProperty,
  MapperInfo,
  ModelProperty as DmiModelProperty,
  PushMethod as DmiPushMethod,
  Twin as DmiTwin,
} from './dmi.generated.ts';
