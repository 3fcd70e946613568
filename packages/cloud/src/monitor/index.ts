// Monitor: tells whoever watches over cloudcore how it is, over plain HTTP. `/healthz` says that the process lives,
// `/readyz` that nodes can connect, `/metrics` what it has counted.
//
//     host.start([createMonitor({ clock, log, servers, metrics, isReady: () => hub.isListening }, config), ...]);
export { createMonitor } from './monitor.ts';
export type { MonitorDeps } from './monitor.ts';
