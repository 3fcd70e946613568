// Devices to try things with: their physics, and real servers of their protocols.
export { createThermostat } from './thermostat-server.ts';
export { highestTarget, lowestTarget } from './thermostat.ts';
