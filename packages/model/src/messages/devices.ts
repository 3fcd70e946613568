// What cloud and edge tell each other about devices. The documents inside have the shape that DeviceTwin's MQTT topics
// have, spelling included: on both sides they come from there and go there.

/** A device as both sides name it; `<namespace>/<name>` in topics and on the wire. */
export interface DeviceName {
  readonly namespace: string;
  readonly name: string;
}

/** One side of a twin: `expected` is what somebody wants, `actual` what the device says. */
export interface TwinSide {
  /** Any UTF-8 text; the edge takes up to 4 KiB. */
  readonly value?: string;
  /** Unix milliseconds at the edge. */
  readonly metadata?: { readonly timestamp?: number };
}

/** Counts the changes either end has made; the edge's half starts again when the device or the edge's store is new. */
export interface TwinVersion {
  readonly cloud: number;
  readonly edge: number;
}

/** One property as it is told to the other end. */
export interface Twin {
  readonly expected?: TwinSide;
  readonly actual?: TwinSide;
  readonly optional?: boolean;
  readonly metadata?: { readonly type?: string };
  readonly expected_version?: TwinVersion;
  readonly actual_version?: TwinVersion;
}

/** By property; null: the twin was deleted. */
export type Twins = { readonly [property: string]: Twin | null };

/** A device of a node, as a list of members shows it. */
export interface Member {
  readonly device: DeviceName;
  readonly description?: string;
}

/** One value that a property had. */
export interface Sample {
  /** Unix milliseconds at the edge. */
  readonly at: number;
  readonly value: string;
}

/** Something about a device that is as it should be, or not; by `type` it is one line of the Device's conditions. */
export interface DeviceCondition {
  /** In the manner of Kubernetes: `Configured`, `Communicating`, `MapperReady`. */
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  /** One word: `Timeout`, `ModbusException`, `BrokerGone`, `MapperHangs`, `BadConfiguration`. */
  readonly reason: string;
  /** A sentence that names the property and the fix. */
  readonly message: string;
  /** Since when, Unix milliseconds at the edge. */
  readonly since: number;
}

/** What one `device.conditions` may hold. */
export const maxConditionsPerDevice = 16;

/** What one `samples.report` may hold; a longer run is several reports. */
export const maxSamplesPerReport = 1_000;
