// What tests ask of a container runtime of their own, whichever it is.
import type { ImageSpec } from '@kedge/platform/containerd';

export const runtimeKinds = ['containerd', 'cri-o'] as const;
export type RuntimeKind = (typeof runtimeKinds)[number];

export interface RuntimeUnderTest {
  readonly kind: RuntimeKind;
  readonly socket: string;
  /** Parent of the cgroups of its pods. */
  readonly cgroupRoot: string;
  /** Texts by which its traces on the host can be recognised, beside its directory. */
  readonly marks: readonly string[];
  /** How many processes of its own it keeps in a pod that shares no process namespace. */
  readonly pauseProcesses: 0 | 1;
  /** Starts the daemon, or leaves a running one, and loads the pause image, busybox and `more`. */
  start(more?: readonly ImageSpec[]): Promise<void>;
  load(images: readonly ImageSpec[]): Promise<void>;
  /** The daemon's; undefined when it does not run. */
  pid(): Promise<number | undefined>;
  /** Ends the daemon alone and politely; pods go on. */
  endDaemon(): Promise<void>;
  /** Pods and daemon end, as a reboot ends them; images stay. Returns what could not be removed from the host. */
  stop(): Promise<readonly string[]>;
  /** As `stop`, and its directory is gone. */
  remove(): Promise<readonly string[]>;
  /** Process ids of running containers by id, pause processes included, without going through anything of ours. */
  running(): Promise<ReadonlyMap<string, number>>;
}
