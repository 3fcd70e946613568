// One watch on the wire: lines of JSON events until the client, the server or the clock ends it. Bookmarks tell an idle
// client how far it is. A client that falls behind is read for from storage, and cut off when it stops reading.
import { isAbort } from '@kedge/core/errors';
import type { ResponseStream } from '@kedge/core/ports';
import { type Clock, type Duration, milliseconds, minutes } from '@kedge/core/time';
import { apiVersionOf, toStatus } from '@kedge/model/k8s';
import { writePatiently } from './answer.ts';
import type { ServedResource } from './catalog.ts';
import { kubeApiErrors } from './kube-api-errors.ts';
import { listKindOf } from './list-answer.ts';
import type { Form } from './negotiate.ts';
import type { Document, Listing, WatchSource } from './object-api.ts';
import { columnDefinitions, type IncludeObject, metadataOnly, type TableLayout, tableRow } from './table.ts';

export interface WatchForm {
  readonly resource: ServedResource;
  readonly form: Form;
  readonly layout: TableLayout;
  readonly include: IncludeObject;
}

export interface WatchRun {
  readonly clock: Clock;
  readonly stream: ResponseStream;
  readonly form: WatchForm;
  /** What exists already, sent first as ADDED. */
  readonly initial: Listing | undefined;
  /** Mark the end of `initial` with an annotated bookmark. */
  readonly markInitialEnd: boolean;
  /** Called once `initial` has been read. */
  open(): Promise<WatchSource>;
  readonly bookmarks: boolean;
  readonly lasts: Duration;
  readonly signal: AbortSignal;
}

const bookmarkEvery = minutes(1);

/** Ends by itself; failures become an ERROR event, since the status line is long gone. */
export async function runWatch(run: WatchRun): Promise<void> {
  const { clock, stream } = run;
  let source: WatchSource | undefined;
  const stop = new AbortController();
  const { signal } = stop;
  let isOver = false;
  // Not AbortSignal.any: one of those costs more memory and time than the rest of a watch that waits.
  const onAbort = (): void => stop.abort(run.signal.reason);
  if (run.signal.aborted) onAbort();
  else run.signal.addEventListener('abort', onAbort, { once: true });
  const encode = createEventEncoder(run.form, clock);
  const write = (line: string): Promise<void> => writePatiently(clock, stream, line);
  void clock.sleep('a watch to time out', run.lasts, signal).then(
    () => {
      isOver = true;
      stop.abort();
    },
    () => undefined,
  );
  try {
    if (run.initial) await sendInitial(run, run.initial, encode, write);
    source = await run.open();
    await follow(run, source, encode, write, signal);
    stream.end();
  } catch (error) {
    if (isAbort(error, run.signal)) stream.destroy();
    else if (isOver) stream.end();
    else if (kubeApiErrors.CLIENT_STALLED.is(error)) stream.destroy();
    else {
      stream.write(`{"type":"ERROR","object":${JSON.stringify(toStatus(error))}}\n`);
      stream.end();
    }
  } finally {
    run.signal.removeEventListener('abort', onAbort);
    stop.abort();
    source?.close();
  }
}

async function sendInitial(
  run: WatchRun,
  initial: Listing,
  encode: EventEncoder,
  write: (line: string) => Promise<void>,
): Promise<void> {
  for await (const page of initial.pages()) {
    for (const document of page) await write(encode.change('ADDED', document));
  }
  if (run.markInitialEnd) await write(encode.bookmark(initial.resourceVersion, initialEnd(run.form)));
}

/** Clients that know no Go type of what they watch take the empty list in the annotation as the form of their answer. */
function initialEnd({ resource, form }: WatchForm): Record<string, string> {
  const { kind, apiVersion } =
    form === 'metadata'
      ? { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' }
      : { kind: listKindOf(resource), apiVersion: apiVersionOf(resource.group, resource.version) };
  const blueprint = JSON.stringify({ kind, apiVersion, metadata: {}, items: [] });
  return { 'k8s.io/initial-events-end': 'true', 'kubernetes.io/initial-events-list-blueprint': btoa(blueprint) };
}

async function follow(
  { clock, bookmarks }: WatchRun,
  source: WatchSource,
  encode: EventEncoder,
  write: (line: string) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  let told = '';
  let lastTold = clock.monotonic();
  const waiting = createWaiting(source, signal);
  if (bookmarks) void ringWhenSilent(clock, () => lastTold, waiting.ring, signal);
  while (!signal.aborted) {
    const { changes, resourceVersion } = source.next();
    let lines = '';
    for (const { type, document } of changes) lines += encode.change(type, document);
    if (lines) {
      await write(lines);
      told = resourceVersion;
      lastTold = clock.monotonic();
      continue;
    }
    if (bookmarks && clock.monotonic() - lastTold >= bookmarkEvery) {
      if (resourceVersion !== told) await write(encode.bookmark(resourceVersion));
      told = resourceVersion;
      lastTold = clock.monotonic();
    }
    await waiting.wait();
  }
}

interface Waiting {
  /** Resolves when there may be changes or somebody rings; rejects when the watch is to end. */
  wait(): Promise<void>;
  ring(): void;
}

/** A wait that goes on when it was rung for: a watch costs no timer and no signal of its own per change. */
function createWaiting(source: WatchSource, signal: AbortSignal): Waiting {
  let changed: Promise<void> | undefined;
  let wake: (() => void) | undefined;
  return {
    wait() {
      changed ??= source.wait(signal).finally(() => (changed = undefined));
      return new Promise((resolve, reject) => {
        wake = resolve;
        changed!.then(resolve, reject);
      });
    },
    ring: () => wake?.(),
  };
}

/** Rings whenever nothing was told for as long as bookmarks are apart; ends with the signal. */
async function ringWhenSilent(
  clock: Clock,
  lastTold: () => number,
  ring: () => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    for (;;) {
      const left = lastTold() + bookmarkEvery - clock.monotonic();
      if (left <= 0) ring();
      await clock.sleep('a bookmark to be due', left > 0 ? milliseconds(left) : bookmarkEvery, signal);
    }
  } catch (error) {
    if (!isAbort(error, signal)) throw error;
  }
}

interface EventEncoder {
  change(type: string, document: Document): string;
  bookmark(resourceVersion: string, annotations?: Record<string, string>): string;
}

function createEventEncoder({ resource, form, layout, include }: WatchForm, clock: Clock): EventEncoder {
  // Column definitions travel once; every later table has rows only.
  let columnsSent = false;
  const table = (metadata: Record<string, unknown>, rows: readonly unknown[]): string => {
    const columns = columnsSent ? [] : columnDefinitions(layout);
    columnsSent = true;
    return JSON.stringify({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions: columns, rows });
  };
  const body = (document: Document): string => {
    if (form === 'object') return document.text;
    if (form === 'metadata') return JSON.stringify(metadataOnly(document.object));
    const { resourceVersion } = document.object.metadata;
    return table({ resourceVersion }, [tableRow(layout, document.object, include, clock.now())]);
  };
  const marker = (resourceVersion: string, annotations?: Record<string, string>): string => {
    const metadata = { resourceVersion, creationTimestamp: null, ...(annotations ? { annotations } : {}) };
    if (form === 'table') return table(metadata, []);
    if (form === 'metadata') return JSON.stringify(metadataOnly({ metadata }));
    return JSON.stringify({
      kind: resource.kind,
      apiVersion: apiVersionOf(resource.group, resource.version),
      metadata,
    });
  };
  return {
    change: (type, document) => `{"type":"${type}","object":${body(document)}}\n`,
    bookmark: (version, annotations) => `{"type":"BOOKMARK","object":${marker(version, annotations)}}\n`,
  };
}
