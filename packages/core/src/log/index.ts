// Structured logging and the one list of field names.
export { createLog, formatRecord, secret, silentLog } from './log.ts';
export type { Log, LogField, LogFields, LogLevel, LogRecord, Secret } from './log.ts';
