// Which stored objects need not be completed when they are read: fields that the schema does not know and defaults that are
// missing can only be in what was written before the schema was what it is. Every write comes by the checks of its kind, so it
// is enough to know since which revision all writes of a collection were one kind's.
import type { Kind } from '../kinds/kind.ts';

export interface WholeObjects {
  /** Inside the commit. `asServed`: what is stored is what the kind shows, not a conversion of it. */
  wrote(kind: Kind, revision: number, asServed: boolean): void;
  /** Whether the object of this revision is as the kind would complete it. */
  isWhole(kind: Kind, revision: number): boolean;
}

interface Era {
  /** Undefined: of no kind. */
  readonly kind: Kind | undefined;
  readonly from: number;
}

export function createWholeObjects(): WholeObjects {
  const eras = new Map<string, Era>();
  return {
    wrote(kind, revision, asServed) {
      // Kinds of the server's own are stored as they are shown; a changed definition makes new ones.
      if (!kind.isCustom) return;
      const writer = asServed ? kind : undefined;
      const era = eras.get(kind.collection);
      if (!era || era.kind !== writer) eras.set(kind.collection, { kind: writer, from: revision });
    },
    isWhole(kind, revision) {
      const era = eras.get(kind.collection);
      return era !== undefined && era.kind === kind && revision >= era.from;
    },
  };
}
