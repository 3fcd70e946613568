// What EventBus needs of DeviceTwin.
import type { Device } from '@kedge/model/kubeedge';
import type { DeviceName, Twin } from '@kedge/model/messages';
import type { HistoryQuestion, TwinReport } from './read-requests.ts';

export interface TwinChange {
  readonly last: Twin | null;
  readonly current: Twin | null;
}

/** Told in the order in which it reached the disk; `event` is what came with the report. */
export interface TwinWatcher {
  onTwins(said: {
    readonly device: DeviceName;
    readonly event: string;
    readonly changes: Readonly<Record<string, TwinChange>>;
  }): void;
  onState(said: {
    readonly device: DeviceName;
    readonly event: string;
    readonly state: string;
    readonly lastOnline: string;
  }): void;
}

export interface DeviceTwins {
  readonly devices: {
    list(): readonly Device[];
    has(name: DeviceName): boolean;
    listen(onChange: () => void): () => void;
  };
  twins(device: DeviceName): Readonly<Record<string, Twin>>;
  stateOf(device: DeviceName): { readonly state: string; readonly lastOnline: string } | undefined;
  /** Resolves once it is on disk and the watchers have been told. */
  report(device: DeviceName, reports: readonly TwinReport[], event: string): Promise<void>;
  state(device: DeviceName, state: string, event: string): Promise<void>;
  /** Undefined: none is kept. */
  history(device: DeviceName, query: HistoryQuestion): History | undefined;
  watch(watcher: TwinWatcher): () => void;
}

export type History = Readonly<Record<string, readonly { readonly at: number; readonly value: string }[]>>;

export interface DeviceAlarms {
  /** Those that stand, as documents. */
  active(device: DeviceName): readonly object[];
  watch(watcher: (news: { readonly device: DeviceName; readonly alarm: object }) => void): () => void;
}
