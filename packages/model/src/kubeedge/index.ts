// KubeEdge's own resources.
export { checkDevice, checkDeviceModel, checkValue } from './check-device.ts';
export type { DeviceFault, DeviceProblem } from './check-device.ts';
export { deviceRulesAnnotation, readDeviceRules } from './device-rules.ts';
export type { DeviceRule, RuleOperator, RuleProblem, RuleSeverity } from './device-rules.ts';
export {
  deliverSamplesAnnotation,
  deliversSamples,
  deviceId,
  deviceModels,
  devices,
  devicesApiVersion,
  devicesGroup,
  deviceStatuses,
  parseDeviceId,
  propertyTypes,
  stateReportOf,
} from './devices.ts';
export type {
  AccessMode,
  ConfigData,
  Device,
  DeviceMethod,
  DeviceModel,
  DeviceProperty,
  DeviceSpec,
  DeviceStatus,
  DeviceStatusFields,
  StatusCondition,
  ModelProperty,
  PropertyType,
  ProtocolConfig,
  PushMethod,
  StateReport,
  TwinProperty,
  TwinStatus,
} from './devices.ts';
export { readDevice, readDeviceModel } from './read-device.ts';
export { clusterObjectSyncs, objectSyncs } from './reliablesyncs.ts';
export type { ObjectSync } from './reliablesyncs.ts';
