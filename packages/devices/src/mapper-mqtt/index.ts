// Devices behind an MQTT broker: topics and places in JSON are properties. `announcements` finds such devices.
export { announcements } from './announcements.ts';
export type { AnnouncementOptions } from './announcements.ts';
export { createMqttMapper } from './driver.ts';
export type { MqttDeps } from './driver.ts';
