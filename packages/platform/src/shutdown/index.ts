// Hears of the machine's shutdown and holds it back, behind the port HostShutdowns. Loaded only where it is asked for.
export { createHostShutdowns, type HostShutdownsDeps } from './host-shutdowns.ts';
