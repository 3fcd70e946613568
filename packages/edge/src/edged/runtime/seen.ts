// What the container runtime has of one pod, as plain values for planning and for the status.
import type { Instant } from '@kedge/core/time';
import type { ResourceRequirements } from '@kedge/model/k8s-types';
import type { RestartBackoff } from '../pod/restart-backoff.ts';

export type SeenState =
  | { readonly at: 'created' }
  | { readonly at: 'running'; readonly startedAt: Instant }
  | {
      readonly at: 'exited';
      readonly startedAt: Instant;
      readonly finishedAt: Instant;
      readonly exitCode: number;
      /** The runtime's word for it: `Completed`, `Error`, `OOMKilled`. */
      readonly reason: string;
      readonly message: string;
    }
  | { readonly at: 'unknown' };

export interface SeenContainer {
  readonly id: string;
  readonly name: string;
  readonly sandboxId: string;
  /** How often the container of this name had been started before. */
  readonly restartCount: number;
  readonly hash: string;
  readonly createdAt: Instant;
  readonly image: string;
  readonly imageRef: string;
  readonly state: SeenState;
  /** The back-off that held when it was made. */
  readonly backoff: RestartBackoff | undefined;
  /** What it was made with; undefined where it does not say. */
  readonly resources?: ResourceRequirements | undefined;
  /** What the pod asked for when the container was made; edged may have been restarted since. */
  readonly gracePeriodSeconds: number;
}

export interface SeenSandbox {
  readonly id: string;
  readonly attempt: number;
  readonly isReady: boolean;
  readonly createdAt: Instant;
  /** Empty in the host's network. */
  readonly addresses: readonly string[];
}

export interface SeenPod {
  /** Newest first. */
  readonly sandboxes: readonly SeenSandbox[];
  /** Newest first. */
  readonly containers: readonly SeenContainer[];
}

/** The newest container of a name. */
export const latestContainer = (seen: SeenPod, name: string): SeenContainer | undefined =>
  seen.containers.find((container) => container.name === name);

export const isRunning = (container: SeenContainer): boolean =>
  container.state.at === 'running' || container.state.at === 'unknown';
