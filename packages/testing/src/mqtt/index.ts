// A broker in memory, behind the port, and what tests ask of a real one.
export { FakeBroker } from './fake-broker.ts';
export { smallBroker } from './small-broker.ts';
