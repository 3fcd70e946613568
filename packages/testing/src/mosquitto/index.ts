// A real mosquitto of a test's own, on a free port and a temporary directory.
export { hasMosquitto, startMosquitto } from './start-mosquitto.ts';
export type { Mosquitto, MosquittoOptions } from './start-mosquitto.ts';
