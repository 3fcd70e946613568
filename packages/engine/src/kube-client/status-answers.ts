// Reads failures out of answers: the server's own Status where there is one, else one made from the HTTP code.
import { failure, httpCodes, type Status, type StatusError, statusError, type StatusReason } from '@kedge/model/k8s';

/** The failure an answer with `status` >= 400 carries. */
export function failureOf(status: number, body: string): StatusError {
  return statusError(readStatus(body) ?? { ...failure(reasonFor(status), plainMessage(status, body)), code: status });
}

/** The Status in a text; undefined when it is something else. */
function readStatus(body: string): Status | undefined {
  try {
    return asStatus(JSON.parse(body));
  } catch {
    return undefined;
  }
}

export const asStatus = (value: unknown): Status | undefined =>
  typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'Status'
    ? (value as Status)
    : undefined;

/** True when a watch cannot go on from its version and the collection has to be listed again. */
export function meansListAgain({ code, reason, details, message }: Status): boolean {
  if (code === 410 || reason === 'Expired' || reason === 'Gone') return true;
  // A server restored from a backup is behind its clients; waiting for it to catch up would take for ever.
  if (details?.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge')) return true;
  return code === 504 && (message ?? '').includes('Too large resource version');
}

function reasonFor(status: number): StatusReason {
  const known = Object.entries(httpCodes).find(([, code]) => code === status)?.[0];
  return (known as StatusReason | undefined) ?? (status < 500 ? 'BadRequest' : 'InternalError');
}

function plainMessage(status: number, body: string): string {
  const text = body.trim().slice(0, 200);
  return `the API server answered HTTP ${status}${text ? `: ${text}` : ''}`;
}
