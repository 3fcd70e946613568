// Devices at the edge: their values, states and conditions on disk, and on their way to the cloud.
//
//     const twin = createDeviceTwin({ clock, log, random, db, objects: meta.devices });
//     await twin.report({ namespace: 'default', name: 'lamp' }, [{ property: 'color', reported: 'red', duplicate: false }]);
//     const hub = createEdgeHub({ ..., outbox: joinOutboxes(meta.outbox, twin.outbox) });
export { createDeviceTwin } from './device-twin.ts';
export type { DeviceTwin, DeviceTwinDeps } from './device-twin.ts';
export type { DeviceOutbox, DeviceOutboxItem } from './device-outbox.ts';
export { mostPerQuery } from './history.ts';
export type { HistoryLimits, HistoryQuery, HistorySample } from './history.ts';
export { deviceTwinErrors } from './errors.ts';
export type { DeviceListener, DeviceObjects, PropertyReport, StateChange, TwinChanges } from './ports.ts';
