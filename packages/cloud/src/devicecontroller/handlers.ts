// What edges report and ask about devices.
import { fail, type NodeName, type ResourceVersion } from '@kedge/model/k8s';
import type { DeviceReport, Outcome, Upstream } from '@kedge/model/messages';

export interface Answer {
  readonly outcome: Outcome<unknown>;
  readonly version?: ResourceVersion | undefined;
}

export type DeviceKind = DeviceReport['kind'] | 'membership.get';

export type DeviceHandlers = {
  readonly [K in DeviceKind]: (
    node: NodeName,
    message: Extract<Upstream, { kind: K }>,
    signal: AbortSignal,
  ) => Promise<Answer | undefined>;
};

const refuse = (): Promise<never> =>
  Promise.reject(fail('ServiceUnavailable', 'this cloudcore serves no devices: modules.deviceController is off'));

/** Reports stay at the edge, for a cloudcore that wants them. */
export const withoutDevices: DeviceHandlers = {
  'twin.report': refuse,
  'device.state': refuse,
  'device.conditions': refuse,
  'samples.report': refuse,
  'membership.get': async () => undefined,
};
