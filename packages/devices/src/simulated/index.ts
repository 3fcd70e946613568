// Devices to try things with: their physics, and real servers of their protocols.
export { certificateStore } from './certificate-store.ts';
export { createTank } from './tank-server.ts';
export { createThermostat } from './thermostat-server.ts';
export { highestTarget, lowestTarget } from './thermostat.ts';
