// What the edge knows of its devices, for programs and people on the same machine: HTTP and JSON on a unix socket.
//
//     const api = createDeviceApi({ clock, log, random, servers, devices: deviceTwin, alarms }, { socketPath });
//     // curl --unix-socket /etc/kubeedge/device.sock http://edge/v1/devices/default/lamp/history?last=1h
export { createDeviceApi } from './device-api.ts';
export type { DeviceApiDeps } from './device-api.ts';
export type { Alarms, DeviceReader } from './ports.ts';
