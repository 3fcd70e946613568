// A server program of a test's own, on a port of its own: it ends with the test, and can be stopped, held and started again.
export { findProgram, startServer } from './start-server.ts';
export type { OwnServer, ServerOptions } from './start-server.ts';
