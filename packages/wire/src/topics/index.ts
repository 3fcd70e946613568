// The MQTT topics of devices and nodes, read by position: a namespace may be called "device" or "twin".
//
//     parseTopic('$hw/events/device/default/lamp/twin/get');  // { kind: 'twin.get', device: {...}, isShort: false }
//     deviceTopic({ namespace: 'default', name: 'lamp' }, 'twin/get/result');
export { matchesFilter } from './match-filter.ts';
export {
  deviceTopic,
  isEdgeTopic,
  namelessDeviceTopic,
  nodeTopic,
  parseTopic,
  requestFilters,
  shortDeviceTopic,
  uploadFilters,
} from './topics.ts';
export type { BusTopic, DeviceTopicTail } from './topics.ts';
