// Get, list and watch over the store: snapshots at a revision, pages, filters, and what a filtered watch sees when an
// object starts or stops to match.
import { codeOf } from '@kedge/core/errors';
import type {
  CollectionTarget,
  Document,
  ListOptions,
  Listing,
  ObjectFilter,
  WatchChange,
  WatchSource,
} from '@kedge/engine/kube-api';
import { fail, failure, notFound, statusError } from '@kedge/model/k8s';
import type { Kind } from '../kinds/kind.ts';
import { type Continuation, formatContinue, formatInconsistentContinue, parseContinue } from './continue-token.ts';
import type { ObjectStore, StoreChange, StoredObject } from './object-store.ts';
import { asServed, present } from './present.ts';
import { servedWatch } from './served-watch.ts';
import { createShownChanges, type ShownChanges } from './shown-changes.ts';
import type { WholeObjects } from './whole-objects.ts';

const pageRows = 100;

export interface ObjectReader {
  get(kind: Kind, namespace: string | undefined, name: string): Document;
  list(kind: Kind, target: CollectionTarget, options: ListOptions): Listing;
  watch(kind: Kind, target: CollectionTarget, filter: ObjectFilter | undefined, resourceVersion: string): WatchSource;
}

export function createObjectReader(store: ObjectStore, whole: WholeObjects): ObjectReader {
  const shown = createShownChanges(whole);
  return {
    get(kind, namespace = '', name) {
      const stored = store.get({ resource: kind.collection, namespace, name });
      if (!stored) throw notFound(kind.served.resource, kind.served.group, name);
      return present(kind, stored.body, whole.isWhole(kind, stored.revision));
    },
    list: (kind, target, options) => list(store, whole, kind, target, options),
    watch(kind, target, filter, resourceVersion) {
      const from = Number(resourceVersion);
      checkNotAhead(store, from);
      const namespace = target.namespace ?? filter?.namespace;
      const watcher = expiring(() => store.watch({ resource: kind.collection, namespace }, from));
      const source: WatchSource = {
        next() {
          const { events, revision } = expiring(() => watcher.next());
          const changes = events.flatMap((event) => changeOf(kind, event, filter, shown) ?? []);
          return { changes, resourceVersion: String(revision) };
        },
        wait: (signal) => watcher.wait(signal),
        close: () => watcher.close(),
      };
      return kind.webhook ? servedWatch(kind, source, resourceVersion) : source;
    },
  };
}

function list(
  store: ObjectStore,
  whole: WholeObjects,
  kind: Kind,
  target: CollectionTarget,
  options: ListOptions,
): Listing {
  const { filter, limit } = options;
  const start = options.continueToken === undefined ? undefined : parseContinue(options.continueToken);
  const revision = start?.revision || revisionOf(store, options);
  const namespace = target.namespace ?? filter?.namespace;
  const range = { resource: kind.collection, namespace };
  let tail: ReturnType<Listing['tail']> = {};

  // One object by name, as `kubectl wait` and node agents ask, needs no walk through the collection.
  const only =
    filter?.name !== undefined && (namespace !== undefined || !kind.served.namespaced) && revision === store.revision
      ? { resource: kind.collection, namespace: namespace ?? '', name: filter.name }
      : undefined;
  const rowsAfter = (after: StoredObject | typeof start, count: number): readonly StoredObject[] => {
    const page = (): readonly StoredObject[] => store.page({ ...range, after, limit: count, revision });
    if (!only) return start ? expiringContinue(page, start) : expiring(page);
    const found = after ? undefined : store.get(only);
    return found && found.revision <= revision ? [found] : [];
  };

  async function* pages(): AsyncIterable<readonly Document[]> {
    let after: StoredObject | typeof start = start;
    let left = limit > 0 ? limit : Infinity;
    for (;;) {
      const asked = Math.min(pageRows, filter ? pageRows : left);
      const rows = rowsAfter(after, asked);
      const page: Document[] = [];
      const candidates = filter ? rows.filter(({ body }) => mayMatch(kind, filter, body)) : rows;
      const documents = candidates.map(({ body, revision: of }) => present(kind, body, whole.isWhole(kind, of)));
      const served = kind.webhook ? await asServed(kind, documents) : documents;
      after = rows.at(-1) ?? after;
      for (const [at, row] of candidates.entries()) {
        const document = served[at]!;
        if (filter && !filter.matches(document.object)) continue;
        page.push(document);
        if (--left > 0) continue;
        after = row;
        break;
      }
      if (page.length > 0) yield page;
      if (left === 0 && after) return endPage(after);
      if (rows.length < asked) return;
    }
  }

  /** The limit is reached: is there more? */
  function endPage(last: { namespace: string; name: string }): void {
    if (rowsAfter({ ...last, revision, body: '' }, 1).length === 0) return;
    const { namespace: inNamespace, name } = last;
    const continueToken = formatContinue({ revision, namespace: inNamespace, name });
    // What a filter would still let through is not counted, as upstream.
    const remaining = filter ? 0 : store.count({ ...range, after: last });
    tail = { continueToken, ...(remaining ? { remainingItemCount: remaining } : {}) };
  }

  return { resourceVersion: String(revision), pages, tail: () => tail };
}

function revisionOf(store: ObjectStore, { resourceVersion, match }: ListOptions): number {
  if (resourceVersion === undefined) return store.revision;
  const asked = Number(resourceVersion);
  checkNotAhead(store, asked);
  return match === 'exact' ? asked : store.revision;
}

function checkNotAhead(store: ObjectStore, asked: number): void {
  if (asked <= store.revision) return;
  throw fail('Timeout', `Too large resource version: ${asked}, current: ${store.revision}`, {
    retryAfterSeconds: 1,
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
  });
}

function changeOf(
  kind: Kind,
  event: StoreChange,
  filter: ObjectFilter | undefined,
  shown: ShownChanges,
): WatchChange | undefined {
  const { before, after } = event;
  const documents = shown.of(kind, event);
  const isIn = after !== undefined && (!filter || matches(filter, kind, after, () => documents.after!));
  const wasIn = before !== undefined && (!filter || matches(filter, kind, before, () => documents.before!));
  if (isIn) return { type: wasIn ? 'MODIFIED' : 'ADDED', document: documents.after! };
  return wasIn ? { type: 'DELETED', document: documents.removed! } : undefined;
}

const matches = (filter: ObjectFilter, kind: Kind, body: string, document: () => Document): boolean =>
  mayMatch(kind, filter, body) && filter.matches(document().object);

/** False where the text alone rules it out. Only of kinds whose text is what is shown. */
const mayMatch = (kind: Kind, { words }: ObjectFilter, body: string): boolean =>
  kind.complete !== undefined || kind.webhook !== undefined || words.every((word) => body.includes(word));

/** A list that was left for too long may be gone on with all the same, though not in the state it began in. */
function expiringContinue<T>(read: () => T, start: Continuation): T {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) !== 'APISTORE_COMPACTED') throw error;
    const message =
      'the continue token is too old: the state that the list began in is no longer kept. Start the list again, or go on ' +
      'with the token in this answer, which lists the rest as it is now.';
    throw statusError({ ...failure('Expired', message), metadata: { continue: formatInconsistentContinue(start) } });
  }
}

/** History that is gone is Expired to clients. */
function expiring<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) !== 'APISTORE_COMPACTED') throw error;
    throw fail('Expired', `too old resource version: ${(error as Error).message}`);
  }
}
