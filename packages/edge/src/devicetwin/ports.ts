// What DeviceTwin needs of its neighbours, and what it takes from whoever speaks to devices.
import type { KubeObject } from '@kedge/model/k8s';
import type { DeviceName, Twin } from '@kedge/model/messages';

/** Devices and models of this node, as stored. */
export interface DeviceObjects {
  list(type: 'device' | 'devicemodel'): readonly KubeObject[];
  listen(
    type: 'device' | 'devicemodel',
    listener: { onPut(object: KubeObject): void; onDelete(last: KubeObject): void },
  ): () => void;
}

/** One property as it was read from a device. */
export interface PropertyReport {
  readonly property: string;
  readonly reported?: string;
  /** The desired value that the device has been given. */
  readonly observedDesired?: string;
  /** An application wants this: `observedDesired` is for the device's mapper, too, until the cloud asks for something else. */
  readonly isWish?: true;
  /** When the device had the value, Unix milliseconds; absent: now. */
  readonly at?: number;
  /** Sent before, and the sender does not know whether it arrived. */
  readonly duplicate: boolean;
  /** Of a twin that is new; absent: string. */
  readonly type?: string;
  /** False: the twin cannot be removed, from now on. */
  readonly optional?: boolean;
  /** The twin goes, unless it is one that has to stay. */
  readonly removed?: true;
}

/** What a report has changed, for whoever tells others about it. */
export interface TwinChanges {
  readonly device: DeviceName;
  /** As given with the report; empty when the device itself reported. */
  readonly event: string;
  /** Before and after, by property. */
  readonly changes: Readonly<Record<string, { readonly last: Twin | null; readonly current: Twin | null }>>;
}

export interface StateChange {
  readonly device: DeviceName;
  readonly event: string;
  readonly state: string;
  readonly lastOnline: string;
}

/** Told in the order in which it reached the disk. */
export interface DeviceListener {
  onTwins(changes: TwinChanges): void;
  onState(change: StateChange): void;
}
