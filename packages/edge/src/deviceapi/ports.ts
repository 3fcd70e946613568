// What the local API needs of its neighbours.
import type { Device } from '@kedge/model/kubeedge';
import type { DeviceName, Twin } from '@kedge/model/messages';

export interface DeviceReader {
  readonly devices: {
    list(): readonly Device[];
    has(name: DeviceName): boolean;
    listen(onChange: () => void): () => void;
  };
  twins(device: DeviceName): Readonly<Record<string, Twin>>;
  stateOf(device: DeviceName): { readonly state: string; readonly lastOnline: string } | undefined;
  /** Undefined: none is kept. */
  history(
    device: DeviceName,
    query: {
      readonly property?: string | undefined;
      readonly since?: number | undefined;
      readonly until?: number | undefined;
      readonly limit?: number | undefined;
    },
  ): Readonly<Record<string, readonly { readonly at: number; readonly value: string }[]>> | undefined;
}

export interface Alarms {
  /** Those that stand, as documents. */
  active(device: DeviceName): readonly object[];
}
