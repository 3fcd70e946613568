// Tells changes that a node made itself, and so need not be sent back to it, from those of others. The watch often brings
// a change before the request that made it is answered, so verdicts wait for the requests that are under way.

/** A status is written a few times while a pod starts; the watch is not further behind than that. */
const remembered = 8;

export interface OwnWrites {
  /** Runs a write of a node; `versionOf` says which version came of it. */
  track<T>(uid: string, write: () => Promise<T>, versionOf: (result: T) => string | undefined): Promise<T>;
  /** Calls `then` with whether `version` came of a tracked write, once no write of the object is under way. */
  judge(uid: string, version: string, then: (isOwn: boolean) => void): void;
  /** The object is gone. */
  forget(uid: string): void;
}

interface Written {
  underway: number;
  readonly versions: string[];
  waiting: (() => void)[];
}

export function createOwnWrites(): OwnWrites {
  const objects = new Map<string, Written>();

  const written = (uid: string): Written => {
    const known = objects.get(uid);
    if (known) return known;
    const fresh: Written = { underway: 0, versions: [], waiting: [] };
    objects.set(uid, fresh);
    return fresh;
  };

  return {
    async track(uid, write, versionOf) {
      const entry = written(uid);
      entry.underway++;
      try {
        const result = await write();
        const version = versionOf(result);
        if (version !== undefined && entry.versions.push(version) > remembered) entry.versions.shift();
        return result;
      } finally {
        entry.underway--;
        if (entry.underway === 0) for (const judgement of entry.waiting.splice(0)) judgement();
      }
    },
    judge(uid, version, then) {
      const entry = objects.get(uid);
      const decide = (): void => then(entry?.versions.includes(version) ?? false);
      if (entry && entry.underway > 0) entry.waiting.push(decide);
      else decide();
    },
    forget: (uid) => void objects.delete(uid),
  };
}
