// What can go wrong between a mapper, its devices and edgecore.
import { defineErrors, explain } from '@kedge/core/errors';

export const mapperErrors = defineErrors('MAPPER', {
  BAD_CONFIG: {
    retry: 'never',
    say: (d: { where: string; problems: readonly string[] }) => `${d.where} cannot be used: ${d.problems.join('; ')}`,
  },
  BAD_VALUE: {
    retry: 'never',
    say: (d: { property: string; fault: string; reason: string }) => `property "${d.property}": ${d.reason}`,
  },
  FAULT: {
    retry: 'backoff',
    say: (d: { reason: string; message: string }) => d.message,
  },
  REFUSED: {
    retry: 'never',
    say: (d: { what: string; reason: string }) => `the device refuses ${d.what}: ${d.reason}`,
  },
  TIMED_OUT: {
    retry: 'backoff',
    say: (d: { what: string; afterMs: number }) => `${d.what}: no answer within ${d.afterMs} ms`,
  },
  NOT_THERE: { retry: 'never', say: (d: { what: string }) => `there is no ${d.what}` },
  NOT_CONNECTED: { retry: 'backoff', say: (d: { device: string }) => `device ${d.device} is not connected` },
  PUSH_FAILED: {
    retry: 'backoff',
    say: (d: { target: string; reason: string }) => `values cannot be pushed to ${d.target}: ${d.reason}`,
  },
  PUSH_REFUSED: {
    retry: 'never',
    say: (d: { target: string; reason: string }) => `${d.target} will never take a value: ${d.reason}`,
  },
});

/** For drivers: the device is there and says no to a write or a method. The connection stays. */
export const refused = (what: string, reason: string, cause?: unknown): Error =>
  mapperErrors.REFUSED({ what, reason }, cause);

/** For drivers: a failure with the one word that the Device's condition shows, such as `ModbusException`. */
export const fault = (reason: string, message: string, cause?: unknown): Error =>
  mapperErrors.FAULT({ reason, message }, cause);

/** The one word for a condition, and the sentence. */
export function describeFault(error: unknown): { reason: string; message: string } {
  const message = explain(error).replace(/^\[\w+\] /, '');
  if (mapperErrors.FAULT.is(error)) return { reason: error.details.reason, message };
  if (mapperErrors.BAD_VALUE.is(error)) return { reason: error.details.fault, message };
  if (mapperErrors.BAD_CONFIG.is(error)) return { reason: 'BadConfiguration', message };
  if (mapperErrors.TIMED_OUT.is(error)) return { reason: 'Timeout', message };
  if (mapperErrors.REFUSED.is(error)) return { reason: 'Refused', message };
  return { reason: 'Failed', message };
}
