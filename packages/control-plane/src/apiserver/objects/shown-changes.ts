// What watchers are shown of the newest changes, made once for all of them: with a watcher per node each change of a pod
// would be read a thousand times.
import type { Document } from '@kedge/engine/kube-api';
import type { Kind } from '../kinds/kind.ts';
import type { StoreChange } from './object-store.ts';
import { present, presentRemoved } from './present.ts';
import type { WholeObjects } from './whole-objects.ts';

/** Whoever reads `object` must not change it: others read it too. */
export interface ShownChange {
  readonly before: Document | undefined;
  readonly after: Document | undefined;
  /** The last state, with the version of its removal. */
  readonly removed: Document | undefined;
}

export interface ShownChanges {
  of(kind: Kind, change: StoreChange): ShownChange;
}

const keptChanges = 64;
/** Characters; bigger objects are read anew by everybody, so that what is kept stays small. */
const keptSize = 16 * 1024;

export function createShownChanges(whole: WholeObjects): ShownChanges {
  const newest = new Map<StoreChange, Map<Kind, ShownChange>>();
  return {
    of(kind, change) {
      const known = newest.get(change)?.get(kind);
      if (known) return known;
      const shown = show(kind, change, whole.isWhole(kind, change.revision));
      if ((change.before?.length ?? 0) + (change.after?.length ?? 0) > keptSize) return shown;
      const kinds = newest.get(change) ?? new Map<Kind, ShownChange>();
      newest.set(change, kinds.set(kind, shown));
      if (newest.size > keptChanges) newest.delete(newest.keys().next().value!);
      return shown;
    },
  };
}

/** Each is made when it is asked for. */
function show(kind: Kind, { before, after, revision }: StoreChange, isWhole: boolean): ShownChange {
  const lazily = <T>(make: () => T): (() => T) => {
    let made: { value: T } | undefined;
    return () => (made ??= { value: make() }).value;
  };
  const was = lazily(() => (before === undefined ? undefined : present(kind, before, false)));
  const is = lazily(() => (after === undefined ? undefined : present(kind, after, isWhole)));
  const removed = lazily(() => (before === undefined ? undefined : presentRemoved(kind, before, revision)));
  return {
    get before() {
      return was();
    },
    get after() {
      return is();
    },
    get removed() {
      return removed();
    },
  };
}
