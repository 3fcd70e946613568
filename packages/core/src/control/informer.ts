// Keeps a local copy of a collection by listing it once and watching it from there, over anything that can do both.
// Whoever listens gets every change of the copy; a lost watch is resumed, an expired one is listed again.
import { type Scope, createBackoff, orAbort } from '../flow/index.ts';
import type { Log } from '../log/index.ts';
import { type Clock, milliseconds, seconds } from '../time/index.ts';

export interface Listed<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

export type Change<T> =
  | { readonly type: 'added' | 'modified' | 'deleted'; readonly object: T; readonly resourceVersion: string }
  | { readonly type: 'bookmark'; readonly resourceVersion: string }
  /** The version asked for is no longer there: list again. */
  | { readonly type: 'expired' };

export interface ListWatch<T> {
  list(signal: AbortSignal): Promise<Listed<T>>;
  /** Changes after `resourceVersion`; ends when the server closes the watch, rejects when it cannot be had. */
  watch(resourceVersion: string, signal: AbortSignal): AsyncIterable<Change<T>>;
}

export interface InformerListener<T> {
  /** `before` is undefined for an object that was not in the copy. */
  onPut?(object: T, before: T | undefined): void;
  onDelete?(last: T): void;
}

export interface Informer<T> {
  get(key: string): T | undefined;
  list(): IterableIterator<T>;
  readonly size: number;
  /** Also told about everything that is in the copy already. Returns how to stop listening. */
  listen(listener: InformerListener<T>): () => void;
  /** Resolves once the first list is in. */
  synced(signal: AbortSignal): Promise<void>;
  readonly isSynced: boolean;
  /** How far the copy has come: every change up to this version is in it. Undefined before the first list. */
  readonly version: string | undefined;
  start(scope: Scope): void;
}

export interface InformerOptions<T> {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly source: ListWatch<T>;
  readonly keyOf: (object: T) => string;
  readonly versionOf: (object: T) => string | undefined;
  /** What to keep of an object, given what is kept already: the place to share equal parts. */
  readonly keep?: (object: T, before: T | undefined) => T;
  readonly random?: () => number;
}

/** A watch that ended sooner than this was not a working one. */
const shortWatch = seconds(1);

export function createInformer<T>(options: InformerOptions<T>): Informer<T> {
  const { name, clock, log, source, keyOf, versionOf } = options;
  const copy = new Map<string, T>();
  const listeners = new Set<InformerListener<T>>();
  const backoff = createBackoff({
    first: milliseconds(200),
    max: seconds(30),
    ...(options.random ? { jitter: 0.3, random: options.random } : {}),
  });
  let isSynced = false;
  let version: string | undefined;
  let announce: () => void = () => undefined;
  const firstSync = new Promise<void>((resolve) => (announce = resolve));

  /** A listener with a defect must not keep the others, or the copy, from going on. */
  const tell = (listener: InformerListener<T>, what: (listener: InformerListener<T>) => void): void => {
    try {
      what(listener);
    } catch (error) {
      log.error('informer listener failed', { component: name, err: error });
    }
  };
  const put = (given: T): void => {
    const key = keyOf(given);
    const before = copy.get(key);
    const version = versionOf(given);
    if (before !== undefined && version !== undefined && versionOf(before) === version) return;
    const object = options.keep ? options.keep(given, before) : given;
    copy.set(key, object);
    for (const listener of listeners) tell(listener, (to) => to.onPut?.(object, before));
  };
  const drop = (key: string, last?: T): void => {
    const known = copy.get(key);
    if (known === undefined) return;
    copy.delete(key);
    for (const listener of listeners) tell(listener, (to) => to.onDelete?.(last ?? known));
  };

  async function listOnce(signal: AbortSignal): Promise<string> {
    const listed = await source.list(signal);
    const present = new Set(listed.items.map(keyOf));
    for (const key of [...copy.keys()]) if (!present.has(key)) drop(key);
    for (const object of listed.items) put(object);
    version = listed.resourceVersion;
    if (!isSynced) {
      isSynced = true;
      announce();
    }
    return listed.resourceVersion;
  }

  /** Where to go on watching; undefined when a new list is needed. Kept by change, so that no change is seen twice. */
  let at: string | undefined;

  async function follow(from: string, signal: AbortSignal): Promise<void> {
    for await (const change of source.watch(from, signal)) {
      if (change.type === 'expired') {
        at = undefined;
        return;
      }
      if (change.type === 'deleted') drop(keyOf(change.object), change.object);
      else if (change.type !== 'bookmark') put(change.object);
      at = version = change.resourceVersion;
      backoff.reset();
    }
  }

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        at ??= await listOnce(signal);
        const began = clock.monotonic();
        await follow(at, signal);
        // A server that ends every watch at once must not be asked in a tight loop.
        if (clock.monotonic() - began >= shortWatch) backoff.reset();
        else await clock.sleep(`${name} to watch again`, backoff.next(), signal);
      } catch (error) {
        if (signal.aborted) return;
        const wait = backoff.next();
        log.debug('list and watch failed', { component: name, retryInMs: wait, err: error });
        await clock.sleep(`${name} to list again`, wait, signal).catch(() => undefined);
      }
    }
  }

  return {
    get: (key) => copy.get(key),
    list: () => copy.values(),
    get size() {
      return copy.size;
    },
    get isSynced() {
      return isSynced;
    },
    get version() {
      return version;
    },
    listen(listener) {
      for (const object of copy.values()) tell(listener, (to) => to.onPut?.(object, undefined));
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    synced: (signal) => orAbort(firstSync, signal),
    start: (scope) => scope.spawn(`${name} informer`, run),
  };
}
