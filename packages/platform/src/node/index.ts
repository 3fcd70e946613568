// The ports over node: modules. Each lives in a file of its own, so that a bundle holds only those it names.
export { createDialer } from './dialer.ts';
export { createCiphers } from './ciphers.ts';
export { createFiles } from './files.ts';
export { createHeapKeeper } from './heap-keeper.ts';
export { createHttpClient } from './http-client.ts';
export { createHttpServers } from './http-servers.ts';
export type { HttpServersOptions } from './http-servers.ts';
export type { HttpClientOptions, HttpServerLimits } from '@kedge/platform/http';
export { createKeys } from './keys.ts';
export { matchPatternsInLinearTime } from './linear-patterns.ts';
export { openLogFile, writeToStandardError } from './log-writer.ts';
export type { LogWriter } from './log-writer.ts';
export { createProcesses } from './processes.ts';
export { createRandom } from './random.ts';
export { onHangUp, onTermination } from './signals.ts';
export { systemClock } from './system-clock.ts';
