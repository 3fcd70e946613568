// Alarms: the threshold rules of DeviceModels, evaluated where the values are, with or without a cloud.
//
//     const alarms = createAlarms({ clock, log, random, db, twins: deviceTwin, events: meta.outbox }, { node });
//     alarms.watch(({ device, alarm }) => ...);
export { createAlarms } from './alarms.ts';
export type { Alarm, AlarmNews, Alarms, AlarmsDeps } from './alarms.ts';
