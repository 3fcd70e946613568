// Error tables: typed, coded, and with advice for whoever retries.
export { codeOf, defineErrors, explain, isAbort, retryOf } from './kedge-error.ts';
export type { ErrorEntry, KedgeError, Retry } from './kedge-error.ts';
