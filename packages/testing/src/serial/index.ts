// A serial line of a test's own.
export { hasSocat, startSerialLine } from './start-serial-line.ts';
export type { SerialLine } from './start-serial-line.ts';
