// What a report of a device can be refused for; the sentences reach the author of the mapper.
import { defineErrors } from '@kedge/core/errors';

export const deviceTwinErrors = defineErrors('DEVICETWIN', {
  UNKNOWN_DEVICE: {
    retry: 'never',
    say: (d: { device: string }) => `there is no device ${d.device} on this node`,
  },
  VALUE_TOO_LONG: {
    retry: 'never',
    say: (d: { device: string; property: string; bytes: number; limit: number }) =>
      `the value of ${d.property} of ${d.device} has ${d.bytes} bytes, over the limit of ${d.limit}`,
  },
});
