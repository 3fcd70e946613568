// A broker in memory, behind the port.
export { FakeBroker } from './fake-broker.ts';
