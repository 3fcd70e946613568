// What the author of a mapper writes: which configuration the protocol takes, and how to connect, read and write. When
// to read, what to make of a value, whom to tell and what to do after a failure is the SDK's business.
import type { Schema } from '@kedge/core/config';
import type { Log } from '@kedge/core/log';
import type { Random } from '@kedge/core/ports';
import type { Clock, Duration } from '@kedge/core/time';
import type { AccessMode, PropertyType } from '@kedge/model/kubeedge';

/** A value as the device has it, before the SDK applies scale and offset and turns it into text. */
export type RawValue = number | bigint | string | boolean | Uint8Array;

/** One property of one device, as the driver gets to see it. */
export interface Point<V> {
  /** Unique within its device. */
  readonly property: string;
  /** From the DeviceModel. */
  readonly type: PropertyType;
  readonly access: AccessMode;
  /** What `visitorConfig` made of the visitor's configData, the model's defaults included. */
  readonly visitor: V;
  /** How often a value is wanted; absent: only when asked for. */
  readonly cycle?: Duration;
  /** Changes up to this, in the device's own units, interest nobody. */
  readonly deadband?: number;
}

/** What became of reading one property: a bad one never spoils the others. */
export type Reading =
  | {
      readonly property: string;
      readonly value: RawValue;
      /** When the device had it, Unix milliseconds; now, when absent. */
      readonly at?: number;
    }
  | { readonly property: string; readonly error: Error };

export interface DriverContext {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborts when the device is taken away or the mapper stops. */
  readonly signal: AbortSignal;
}

/**
 * One device, connected. Calls come one at a time. A rejection means that the connection is of no use: the SDK closes
 * it and opens another, later each time. What concerns a single property is a reading with an error; a write that
 * the device refuses throws `refused(...)`, which costs the connection nothing.
 */
export interface Connection<V> {
  /** One reading for each point, in any order; a point without one counts as failed. */
  read(points: readonly Point<V>[], signal: AbortSignal): Promise<readonly Reading[]>;
  /** Resolves once the device has taken the value. Absent: nothing can be written. */
  write?(point: Point<V>, value: RawValue, signal: AbortSignal): Promise<void>;
  /**
   * For protocols that tell of changes by themselves: resolves once that is arranged, and hands readings over until
   * `signal` aborts. Returns the names of properties that have to be polled all the same.
   */
  subscribe?(
    points: readonly Point<V>[],
    onReadings: (readings: readonly Reading[]) => void,
    signal: AbortSignal,
  ): Promise<readonly string[] | void>;
  /**
   * For devices that say of themselves whether they are there: why this one is offline, or nothing. It is asked after
   * each batch of readings, an empty one included; nothing is read or written meanwhile.
   */
  offline?(): Error | undefined;
  /**
   * A method of the device that is more than writing properties; undefined: there is none of that name. `points` are those of the
   * properties that `args` has values for.
   */
  call?(
    method: string,
    args: Readonly<Record<string, RawValue>>,
    signal: AbortSignal,
    points: readonly Point<V>[],
  ): Promise<{ readonly result?: RawValue } | undefined>;
  /** Settles when the connection breaks while nobody asks for anything. */
  readonly lost?: Promise<Error>;
  close(): Promise<void>;
}

/** What a search came upon: enough to propose a DeviceModel and a Device. */
export interface FoundDevice {
  /** A valid name of a Kubernetes object. */
  readonly name: string;
  readonly description?: string;
  readonly protocolConfig: Readonly<Record<string, unknown>>;
  readonly properties: readonly {
    readonly name: string;
    readonly type: PropertyType;
    readonly access: AccessMode;
    readonly description?: string;
    readonly unit?: string;
    readonly minimum?: string;
    readonly maximum?: string;
    readonly visitorConfig: Readonly<Record<string, unknown>>;
  }[];
}

export interface MapperDriver<C, V> {
  /** Of the mapper, as edgecore shows it. */
  readonly name: string;
  /** `spec.protocol.protocolName` of the devices that it serves. */
  readonly protocol: string;
  readonly version: string;
  /** Of `spec.protocol.configData`; unknown keys are pointed out and ignored. */
  readonly protocolConfig: Schema<C>;
  /** Of a property's `visitors.configData`. A key that the SDK knows too (`scale`, ...) is then the driver's to apply. */
  readonly visitorConfig: Schema<V>;
  open(config: C, context: DriverContext): Promise<Connection<V>>;
  /** Looks for devices, bounded by `options` and `signal`. */
  discover?(options: Readonly<Record<string, string>>, context: DriverContext): AsyncIterable<FoundDevice>;
}

/** Gives a driver its types: those of its configuration are read off the schemas. */
export const defineMapper = <C, V>(driver: MapperDriver<C, V>): MapperDriver<C, V> => driver;

/** A key that has to be there. */
export function required<T>(schema: Schema<T>): Schema<T> {
  const { default: _, ...rest } = schema;
  return { ...rest, 'x-required': true } as unknown as Schema<T>;
}
