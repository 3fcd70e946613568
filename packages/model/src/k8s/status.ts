// Kubernetes' own error shape (meta/v1 Status), as a value and as an exception.

export type StatusReason =
  | 'AlreadyExists'
  | 'BadRequest'
  | 'Conflict'
  | 'Expired'
  | 'Forbidden'
  | 'Gone'
  | 'InternalError'
  | 'Invalid'
  | 'MethodNotAllowed'
  | 'NotAcceptable'
  | 'NotFound'
  | 'RequestEntityTooLarge'
  | 'ServerTimeout'
  | 'ServiceUnavailable'
  | 'Timeout'
  | 'TooManyRequests'
  | 'Unauthorized'
  | 'UnsupportedMediaType';

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

export interface Status {
  apiVersion?: 'v1';
  kind?: 'Status';
  metadata?: Record<string, unknown>;
  status?: 'Success' | 'Failure';
  message?: string;
  reason?: StatusReason | string;
  details?: StatusDetails;
  code?: number;
}

export const httpCodes: Readonly<Record<StatusReason, number>> = {
  AlreadyExists: 409,
  BadRequest: 400,
  Conflict: 409,
  Expired: 410,
  Forbidden: 403,
  Gone: 410,
  InternalError: 500,
  Invalid: 422,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  NotFound: 404,
  RequestEntityTooLarge: 413,
  ServerTimeout: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
  TooManyRequests: 429,
  Unauthorized: 401,
  UnsupportedMediaType: 415,
};

export function failure(reason: StatusReason, message: string, details?: StatusDetails): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message,
    reason,
    ...(details ? { details } : {}),
    code: httpCodes[reason],
  };
}

/** A failed API call. `status` is what goes on the wire. */
export interface StatusError extends Error {
  readonly name: 'StatusError';
  readonly status: Status;
}

export function statusError(status: Status): StatusError {
  return Object.assign(new Error(status.message ?? status.reason ?? 'unknown API failure'), {
    name: 'StatusError' as const,
    status,
  });
}

export const fail = (reason: StatusReason, message: string, details?: StatusDetails): StatusError =>
  statusError(failure(reason, message, details));

/** Recognises a StatusError, and one reason of it when given. */
export const isStatus = (error: unknown, reason?: StatusReason): error is StatusError =>
  error instanceof Error &&
  error.name === 'StatusError' &&
  (reason === undefined || (error as StatusError).status.reason === reason);

/** The Status of any failure; what is not an API failure becomes InternalError. */
export const toStatus = (error: unknown): Status =>
  isStatus(error) ? error.status : failure('InternalError', error instanceof Error ? error.message : String(error));

/** `pods "web-0" not found`, as Kubernetes words it. */
export const notFound = (resource: string, group: string, name: string): StatusError =>
  fail('NotFound', `${group ? `${resource}.${group}` : resource} "${name}" not found`, {
    name,
    ...(group ? { group } : {}),
    kind: resource,
  });
