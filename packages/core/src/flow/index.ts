// Structured tasks, back-off, and small coordination pieces.
export { abortError, orAbort, whenAborted } from './abort.ts';
export { backoffDelay, createBackoff } from './backoff.ts';
export type { Backoff, BackoffOptions } from './backoff.ts';
export { JoinedCalls } from './joined-calls.ts';
export { BoundedQueue, flowErrors, KeyedMutex, Wakeup } from './queues.ts';
export { createRateLimit } from './rate-limit.ts';
export type { RateLimit } from './rate-limit.ts';
export { openScope, scopeErrors } from './scope.ts';
export type { OwnedScope, Scope } from './scope.ts';
