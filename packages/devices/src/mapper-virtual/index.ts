// A device that is not there: for trying things out, and for tests.
export { virtualMapper } from './driver.ts';
