// What can go wrong between a mapper, its devices and edgecore.
import { defineErrors } from '@kedge/core/errors';

export const mapperErrors = defineErrors('MAPPER', {
  BAD_CONFIG: {
    retry: 'never',
    say: (d: { where: string; problems: readonly string[] }) => `${d.where} cannot be used: ${d.problems.join('; ')}`,
  },
  BAD_VALUE: {
    retry: 'never',
    say: (d: { property: string; reason: string }) => `property "${d.property}": ${d.reason}`,
  },
  REFUSED: {
    retry: 'never',
    say: (d: { what: string; reason: string }) => `the device refuses ${d.what}: ${d.reason}`,
  },
  TIMED_OUT: {
    retry: 'backoff',
    say: (d: { what: string; afterMs: number }) => `${d.what}: no answer within ${d.afterMs} ms`,
  },
});

/** For drivers: the device is there and says no. */
export const refused = (what: string, reason: string, cause?: unknown): Error =>
  mapperErrors.REFUSED({ what, reason }, cause);
