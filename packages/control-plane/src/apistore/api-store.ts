// Versioned objects over a Database, in the manner of etcd: one revision counter for everything, conditional writes,
// lists at a revision, and watches from one. It knows nothing of Kubernetes beyond keys and JSON text.
//
// Reads see committed state only: work of a group commit runs and commits without anything else in between.
import type { Database } from '@kedge/core/ports';
import type { Clock, Duration } from '@kedge/core/time';
import { type BodyCodec, plainBodies } from './body-codec.ts';
import { RecentEvents } from './recent-events.ts';
import { renewVersions } from './renew-versions.ts';
import { apiStoreErrors } from './store-errors.ts';
import type { ListPageRequest, ObjectKey, Range, Stored, StoreEvent, WriteOutcome } from './stored.ts';
import { openStatements } from './store-statements.ts';
import { createWatcher, type Watcher } from './watcher.ts';

export interface ApiStore {
  /** The newest revision; lists and watches that ask for "now" get this one. */
  readonly revision: number;
  /** Revisions below this one answer APISTORE_COMPACTED. */
  readonly compacted: number;
  /**
   * Another number whenever reads of the collection may give something else than before: with each write inside its commit,
   * and once more when that commit has succeeded or failed.
   */
  generation(resource: string): number;
  get(key: ObjectKey): Stored | undefined;
  /** Objects in key order. Throws APISTORE_COMPACTED. */
  page(request: ListPageRequest): readonly Stored[];
  count(range: Range & { readonly after?: { readonly namespace: string; readonly name: string } | undefined }): number;
  /**
   * Replaces, creates (`expected` 0) or, without `body`, removes an object whose revision is `expected`. `body` is called with
   * the new revision inside the commit; the answer comes once it is on disk.
   */
  write(key: ObjectKey, expected: number, body: ((revision: number) => string) | undefined): Promise<WriteOutcome>;
  /** Events after `revision`. Throws APISTORE_COMPACTED here or at a later `next()`. */
  watch(range: Range, revision: number): Watcher;
  /** Forgets history older than the limits; run now and then. */
  compact(): Promise<void>;
  readonly recentBytes: number;
}

export interface ApiStoreDeps {
  readonly database: Database;
  readonly clock: Clock;
  /** History older than this may go. */
  readonly keepFor: Duration;
  /** And history beyond this many writes goes, however young. */
  readonly keepEvents: number;
  /** Memory for recent events. */
  readonly recentBytes: number;
  /** How bodies are written; as they are when absent. */
  readonly bodies?: BodyCodec;
}

export function createApiStore(deps: ApiStoreDeps): ApiStore {
  const { database, clock, bodies = plainBodies } = deps;
  renewVersions(database, bodies);
  const sql = openStatements(database);
  let compacted = sql.compactedRevision.get()!.revision;
  let newest = Math.max(compacted, sql.newestRevision.get()!.revision ?? 0);
  let committed = newest;
  const recent = new RecentEvents(deps.recentBytes, newest);
  const wakeups = new Map<string, Set<() => void>>();
  const generations = new Map<string, number>();
  const touch = (resource: string): void => void generations.set(resource, (generations.get(resource) ?? 0) + 1);

  const publish = (event: StoreEvent): void => {
    committed = event.revision;
    recent.push(event);
    for (const wake of wakeups.get(event.resource) ?? []) wake();
  };

  const checkKept = (revision: number): void => {
    if (revision < compacted) throw apiStoreErrors.COMPACTED({ revision, oldest: compacted });
  };

  /** Most rows are as they are: nothing is copied then. */
  const fromDisk = (resource: string, row: Stored): Stored => {
    const body = bodies.fromDisk({ resource, namespace: row.namespace, name: row.name }, row.body);
    return body === row.body ? row : { ...row, body };
  };

  /** Runs inside a commit. */
  function writeRow(
    key: ObjectKey,
    current: Stored | undefined,
    body: ((revision: number) => string) | undefined,
  ): StoreEvent {
    const revision = newest + 1;
    const after = body?.(revision);
    const written = after === undefined ? undefined : bodies.toDisk(key, after);
    const { resource, namespace, name } = key;
    if (written === undefined) sql.remove.run(resource, namespace, name);
    else if (current) sql.update.run(revision, written, resource, namespace, name);
    else sql.insert.run(resource, namespace, name, revision, written);
    sql.remember.run(revision, clock.now(), resource, namespace, name, current?.revision ?? 0, current?.body ?? null);
    newest = revision;
    touch(resource);
    return { revision, resource, namespace, name, before: current && bodies.fromDisk(key, current.body), after };
  }

  /** Events from the history table: what each write replaced is there, what it made is found in its successor. */
  function eventsFromHistory(range: Range, after: number, limit: number): readonly StoreEvent[] {
    checkKept(after);
    const rows = sql.historySince.all(range.resource, after, limit);
    return rows.map((row) => {
      const next = sql.historyNext.get(range.resource, row.namespace, row.name, row.revision);
      const made = next ? next.before : sql.get.get(range.resource, row.namespace, row.name)?.body;
      const { namespace, name, revision } = row;
      const key = { resource: range.resource, namespace, name };
      const read = (body: string | null | undefined): string | undefined =>
        body === null || body === undefined ? undefined : bodies.fromDisk(key, body);
      return { ...key, revision, before: read(row.before), after: read(made) };
    });
  }

  return {
    get revision() {
      return committed;
    },
    get compacted() {
      return compacted;
    },
    get recentBytes() {
      return recent.bytes;
    },
    generation: (resource) => generations.get(resource) ?? 0,
    get(key) {
      const stored = sql.get.get(key.resource, key.namespace, key.name);
      return stored && fromDisk(key.resource, stored);
    },
    page({ resource, namespace, after = { namespace: '', name: '' }, limit, revision }) {
      checkKept(revision);
      return pageRows().map((row) => fromDisk(resource, row));

      function pageRows(): readonly Stored[] {
        if (revision >= newest) {
          return namespace === undefined
            ? sql.pageAll.all(resource, after.namespace, after.name, limit)
            : sql.pageOne.all(resource, namespace, after.name, limit);
        }
        return namespace === undefined
          ? sql.pageAllAt.all(resource, after.namespace, after.name, revision, limit)
          : sql.pageOneAt.all(resource, namespace, after.name, revision, limit);
      }
    },
    count: ({ resource, namespace, after = { namespace: '', name: '' } }) =>
      (namespace === undefined
        ? sql.countAll.get(resource, after.namespace, after.name)
        : sql.countOne.get(resource, namespace, after.name))!.count,
    async write(key, expected, body) {
      const outcome = await database
        .write(() => {
          const current = sql.get.get(key.resource, key.namespace, key.name);
          if ((current?.revision ?? 0) !== expected) return { current };
          return { event: writeRow(key, current, body) };
        })
        .finally(() => touch(key.resource));
      if (!outcome.event) return { ok: false, current: outcome.current && fromDisk(key.resource, outcome.current) };
      publish(outcome.event);
      return { ok: true, revision: outcome.event.revision };
    },
    watch(range, revision) {
      checkKept(revision);
      return createWatcher({
        range,
        revision,
        // Only published events count: a watcher must not be told it is past an event it has yet to get.
        newest: () => committed,
        recent: (after, limit) => recent.since(range.resource, after, limit),
        history: (after, limit) => eventsFromHistory(range, after, limit),
        listen(wake) {
          const set = wakeups.get(range.resource) ?? new Set();
          wakeups.set(range.resource, set.add(wake));
          return () => {
            set.delete(wake);
            if (set.size === 0 && wakeups.get(range.resource) === set) wakeups.delete(range.resource);
          };
        },
      });
    },
    async compact() {
      // The newest row always stays: it holds the revision counter.
      const byCount = newest - deps.keepEvents;
      const byAge = (sql.oldestSince.get(clock.now() - deps.keepFor)?.revision ?? newest) - 1;
      const upTo = Math.min(Math.max(byCount, byAge), newest - 1);
      if (upTo <= compacted) return;
      await database.write(() => {
        sql.forget.run(upTo);
        sql.setCompacted.run(upTo);
      });
      compacted = upTo;
    },
  };
}
