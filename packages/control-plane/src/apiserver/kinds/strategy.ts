// What kinds do differently on the generic path beyond their model's rules: the server's own part in their lives.
import type { Instant } from '@kedge/core/time';
import type { KubeObject } from '@kedge/model/k8s';

export interface Strategy {
  /** `metadata.generation` grows when anything but metadata and status changes. */
  readonly countsGenerations: boolean;
  /** PUT of an object that does not exist creates it. */
  readonly createsOnUpdate: boolean;
  /** A write to the status subresource may change labels, annotations and the like. */
  readonly statusCarriesMetadata: boolean;
  /** What a new object gets from the server when all else is decided. */
  finishCreate(object: KubeObject, now: Instant): KubeObject;
  /** As above, for a new state of an object. */
  finishUpdate(object: KubeObject, before: KubeObject): KubeObject;
  /** How many seconds a deletion waits for somebody to finish; 0 removes at once. */
  grace(object: KubeObject, asked: number | undefined): number;
  /** Whether something beyond `metadata.finalizers` holds a deleted object back. */
  isHeld(object: KubeObject): boolean;
}

const same = (object: KubeObject): KubeObject => object;

export const plainStrategy: Strategy = {
  countsGenerations: false,
  createsOnUpdate: false,
  statusCarriesMetadata: false,
  finishCreate: same,
  finishUpdate: same,
  grace: () => 0,
  isHeld: () => false,
};
