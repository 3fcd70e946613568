// A real OPC UA server of a test's own.
export { makeIdentity, startOpcuaServer } from './start-opcua-server.ts';
export type { OpcuaServer, OpcuaServerOptions, ServerIdentity } from './start-opcua-server.ts';
