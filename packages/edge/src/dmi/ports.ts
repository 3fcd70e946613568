// What the DMI server needs of the rest of the edge: which devices there are, and somebody who takes what they report.
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import type { DeviceCondition, DeviceName } from '@kedge/model/messages';

export interface DmiDevices {
  /** Every device of this node; desired values that were set at the edge stand in its properties. */
  list(): Iterable<Device>;
  get(name: DeviceName): Device | undefined;
  model(name: DeviceName): DeviceModel | undefined;
  /** Calls whenever a device, a model or a desired value has changed; returns how to end that. */
  listen(onChange: () => void): () => void;
}

/** One property as a mapper reports it. */
export interface MapperReport {
  readonly property: string;
  readonly reported?: string;
  /** The desired value that the device has been given. */
  readonly observedDesired?: string;
  /** When the device had the value, Unix milliseconds; absent: the mapper does not say. */
  readonly at?: number;
  /** Sent before, and the mapper does not know whether it arrived. */
  readonly duplicate: boolean;
}

export interface DmiTwins {
  /** Resolves once the values are on disk; in the order of the calls. What it rejects with is told to the mapper. */
  report(device: DeviceName, reports: readonly MapperReport[]): Promise<void>;
  state(device: DeviceName, state: string): Promise<void>;
  /** One line of the device's conditions; the one of the same type is replaced. */
  condition(device: DeviceName, condition: DeviceCondition): Promise<void>;
}
