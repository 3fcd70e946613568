// What kinds do differently on the generic path, as data and small functions.
import type { Instant } from '@kedge/core/time';
import type { FieldError, KubeObject } from '@kedge/model/k8s';

export interface StrategyContext {
  readonly now: Instant;
  readonly uuid: () => string;
}

export interface Strategy {
  /** `metadata.generation` grows when anything but metadata and status changes. */
  readonly countsGenerations: boolean;
  /** PUT of an object that does not exist creates it. */
  readonly createsOnUpdate: boolean;
  /** A write to the status subresource may change labels, annotations and the like. */
  readonly statusCarriesMetadata: boolean;
  /** Last touch before a new object is checked and stored; `object` may be changed. */
  prepareCreate(object: KubeObject, context: StrategyContext): void;
  /** As above, for a new state of an object. */
  prepareUpdate(object: KubeObject, before: KubeObject, context: StrategyContext): void;
  /** What is wrong with the new state beyond its schema. */
  check(object: KubeObject, before: KubeObject | undefined): readonly FieldError[];
  /** How many seconds a deletion waits for somebody to finish; 0 removes at once. */
  grace(object: KubeObject, asked: number | undefined): number;
  /** Whether something beyond `metadata.finalizers` holds a deleted object back. */
  isHeld(object: KubeObject): boolean;
}

const nothing = (): void => undefined;

export const plainStrategy: Strategy = {
  countsGenerations: false,
  createsOnUpdate: false,
  statusCarriesMetadata: false,
  prepareCreate: nothing,
  prepareUpdate: nothing,
  check: () => [],
  grace: () => 0,
  isHeld: () => false,
};
