// What DeviceTwin needs of its neighbours, and what it takes from whoever speaks to devices.
import type { KubeObject } from '@kedge/model/k8s';

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
  /** When the device had the value, Unix milliseconds; absent: now. */
  readonly at?: number;
  /** Sent before, and the sender does not know whether it arrived. */
  readonly duplicate: boolean;
}
