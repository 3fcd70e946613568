// What alarms need of their neighbours.
import type { Device, DeviceModel } from '@kedge/model/kubeedge';
import type { KubeObject } from '@kedge/model/k8s';
import type { DeviceCondition, DeviceName, ObjectRef, Twin } from '@kedge/model/messages';

export interface WatchedTwins {
  readonly devices: {
    list(): readonly Device[];
    get(name: DeviceName): Device | undefined;
    model(name: DeviceName): DeviceModel | undefined;
    listen(onChange: () => void): () => void;
  };
  twins(device: DeviceName): Readonly<Record<string, Twin>>;
  condition(device: DeviceName, condition: DeviceCondition): Promise<void>;
  watch(watcher: {
    onTwins(said: {
      readonly device: DeviceName;
      readonly changes: Readonly<Record<string, { readonly current: Twin | null }>>;
    }): void;
    onState(said: unknown): void;
  }): () => void;
}

/** Towards the Kubernetes API; kept on disk until the cloud is there. */
export interface Events {
  event(report: { readonly ref: ObjectRef; readonly event: KubeObject; readonly change: 'insert' }): void;
}
