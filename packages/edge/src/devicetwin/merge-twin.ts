// What a report makes of a twin. Each side counts its changes, so that the other end can tell newer from older whatever
// the clocks say. Pure.
import type { Twin, TwinSide } from '@kedge/model/messages';

export interface TwinChange {
  /** What the device says. */
  readonly reported?: string;
  /** The desired value that the device has been given. */
  readonly observedDesired?: string;
  /** Unix milliseconds. */
  readonly at: number;
  /** Of a new twin. */
  readonly type?: string;
  readonly optional?: boolean;
}

export function mergeTwin(
  before: Twin | undefined,
  { reported, observedDesired, at, type = 'string', optional = true }: TwinChange,
): Twin {
  const twin: Twin = { metadata: { type }, ...before, optional: optional && before?.optional !== false };
  return {
    ...twin,
    ...(reported === undefined
      ? {}
      : { actual: side(reported, at), actual_version: { cloud: 0, edge: (twin.actual_version?.edge ?? 0) + 1 } }),
    ...(observedDesired === undefined
      ? {}
      : {
          expected: side(observedDesired, at),
          expected_version: { cloud: twin.expected_version?.cloud ?? 0, edge: (twin.expected_version?.edge ?? 0) + 1 },
        }),
  };
}

const side = (value: string, timestamp: number): TwinSide => ({ value, metadata: { timestamp } });
