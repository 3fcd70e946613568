// KubeApi over HTTP: what controllers use against a real cluster or against our own API server in another process.
// Connections, TLS and certificates are the HTTP client's; everything above them is here.
import type { Change, Listed } from '@kedge/core/control';
import type { Random } from '@kedge/core/ports';
import { type Duration, seconds } from '@kedge/core/time';
import { failure, type GroupVersionResource, type KubeObject, statusError } from '@kedge/model/k8s';
import { type ApiCall, type ApiCalls, type ApiCallsOptions, createApiCalls } from './api-calls.ts';
import { type CallOptions, type KubeApi, patchMediaTypes, type Selection } from './kube-api.ts';
import { kubeClientErrors } from './kube-client-errors.ts';
import { parseLossless } from './lossless-json.ts';
import { collectionPath, objectPath, selectors, withQuery } from './request-paths.ts';
import { asStatus, meansListAgain } from './status-answers.ts';
import { readLines } from './watch-lines.ts';

export interface KubeClientOptions extends ApiCallsOptions {
  readonly random: Random;
}

/** Given as the reason: without one, every abort makes a DOMException with a stack. */
const watchEnded = new Error('the watch has ended');

const pageSize = 500;
const maxPages = 10_000;
const maxLineBytes = 16 * 1024 * 1024;

interface ListBody {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  readonly items?: readonly KubeObject[] | null;
}

/** A client for one API server and one identity. The HTTP client stays the caller's to close. */
export function createKubeClient(options: KubeClientOptions): KubeApi {
  const { clock, random } = options;
  const calls = createApiCalls(options);

  const sendJson = async <T>(call: ApiCall, on: CallOptions | undefined): Promise<T> =>
    readJson<T>(call, await calls.send(call, on));

  async function readPages(path: string, query: Selection, limit: number | undefined, on?: CallOptions) {
    const items: KubeObject[] = [];
    let version: string | undefined;
    let next: string | undefined;
    for (let page = 0; page < maxPages; page++) {
      const call = { method: 'GET', path: withQuery(path, { ...selectors(query), limit, continue: next }) } as const;
      const body = await sendJson<ListBody>(call, on);
      for (const item of body.items ?? []) items.push(withKind(item, body));
      version ??= body.metadata?.resourceVersion ?? '';
      next = body.metadata?.continue;
      if (!next) return { items, resourceVersion: version };
    }
    throw kubeClientErrors.TOO_MANY_PAGES({ path, limit: maxPages });
  }

  async function list(
    of: GroupVersionResource,
    selection: Selection = {},
    on?: CallOptions,
  ): Promise<Listed<KubeObject>> {
    const path = collectionPath(of, selection.namespace);
    try {
      return await readPages(path, selection, pageSize, on);
    } catch (error) {
      // The snapshot behind the pages was compacted away while they were read: take everything in one piece.
      if (!isListAgain(error)) throw error;
      return await readPages(path, selection, undefined, on);
    }
  }

  async function* watch(
    of: GroupVersionResource,
    selection: Selection,
    resourceVersion: string,
    signal: AbortSignal,
  ): AsyncIterable<Change<KubeObject>> {
    const timeoutSeconds = 300 + Math.floor(random.next() * 300);
    const query = { ...selectors(selection), watch: true, allowWatchBookmarks: true, resourceVersion, timeoutSeconds };
    const call = {
      method: 'GET',
      path: withQuery(collectionPath(of, selection.namespace), query),
    } as const;
    const end = new AbortController();
    try {
      const body = await openWatch(calls, call, AbortSignal.any([signal, end.signal]));
      if (body === 'expired') return yield { type: 'expired' };
      for await (const line of endingAfter(readLines(body, maxLineBytes), seconds(timeoutSeconds + 15))) {
        const change = readChange(call, line);
        yield change;
        if (change.type === 'expired') return;
      }
    } finally {
      end.abort();
    }
  }

  /** Ends a stream of lines whose server went away without a word. */
  async function* endingAfter(lines: AsyncIterable<string>, left: Duration): AsyncIterable<string> {
    const iterator = lines[Symbol.asyncIterator]();
    const stop = new AbortController();
    let isOver = false;
    let giveUp = (): void => undefined;
    const end = (): void => {
      isOver = true;
      giveUp();
    };
    // One timer for all lines: busy watches have hundreds of them a second.
    void clock.sleep('watch to end', left, stop.signal).then(end, () => undefined);
    try {
      while (!isOver) {
        const step = await new Promise<IteratorResult<string> | undefined>((resolve, reject) => {
          giveUp = () => resolve(undefined);
          iterator.next().then(resolve, reject);
        });
        if (step === undefined || step.done) return;
        yield step.value;
      }
    } finally {
      stop.abort(watchEnded);
      // Not awaited: a read that is still waiting ends only when the caller hangs up.
      void iterator.return?.().catch(() => undefined);
    }
  }

  return {
    get: async (of, target, on) => sendJson({ method: 'GET', path: objectPath(of, target) }, on),
    list,
    watch,
    create: async (of, namespace, object, on) =>
      sendJson(
        {
          method: 'POST',
          path: on?.subresource ? objectPath(of, { namespace, ...on.subresource }) : collectionPath(of, namespace),
          body: JSON.stringify(object),
        },
        on,
      ),
    update: async (of, object, on) => {
      const { namespace, name = '' } = object.metadata;
      const path = objectPath(of, { namespace, name, subresource: on?.subresource });
      return sendJson({ method: 'PUT', path, body: JSON.stringify(object) }, on);
    },
    patch: async (of, target, type, document, on) =>
      sendJson(
        {
          method: 'PATCH',
          path: withQuery(objectPath(of, target), { fieldManager: on?.fieldManager, force: on?.force }),
          body: document,
          contentType: patchMediaTypes[type],
        },
        on,
      ),
    delete: async (of, target, on = {}) => {
      const { gracePeriodSeconds, propagationPolicy, uid, resourceVersion } = on;
      const preconditions = { uid, resourceVersion };
      const body = { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds, propagationPolicy, preconditions };
      await calls.send({ method: 'DELETE', path: objectPath(of, target), body: JSON.stringify(body) }, on);
    },
    raw: (path, on) => calls.send({ method: 'GET', path }, on, 'raw'),
  };
}

async function openWatch(calls: ApiCalls, call: ApiCall, signal: AbortSignal) {
  try {
    return (await calls.open(call, signal)).chunks();
  } catch (error) {
    if (isListAgain(error)) return 'expired';
    throw error;
  }
}

const isListAgain = (error: unknown): boolean => {
  const status = error instanceof Error && 'status' in error ? asStatus(error.status) : undefined;
  return status !== undefined && meansListAgain(status);
};

function readChange(call: ApiCall, line: string): Change<KubeObject> {
  const event = readJson<{ type?: string; object?: KubeObject }>(call, { status: 200, body: line });
  const { type, object } = event;
  const resourceVersion = object?.metadata?.resourceVersion ?? '';
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      if (object === undefined) break;
      return { type: type.toLowerCase() as 'added' | 'modified' | 'deleted', object, resourceVersion };
    case 'BOOKMARK':
      return { type: 'bookmark', resourceVersion };
    case 'ERROR': {
      const status = asStatus(object) ?? failure('InternalError', 'the API server ended the watch without a reason');
      if (meansListAgain(status)) return { type: 'expired' };
      throw statusError(status);
    }
  }
  throw kubeClientErrors.NOT_JSON({ method: call.method, path: call.path, status: 200 });
}

function readJson<T>({ method, path }: ApiCall, { status, body }: { status: number; body: string }): T {
  let value: unknown;
  try {
    value = parseLossless(body);
  } catch (error) {
    throw kubeClientErrors.NOT_JSON({ method, path, status }, error);
  }
  if (typeof value === 'object' && value !== null) return value as T;
  throw kubeClientErrors.NOT_JSON({ method, path, status });
}

/** Items of a list come without apiVersion and kind; whoever passes one on needs both. */
function withKind(item: KubeObject, { apiVersion, kind }: ListBody): KubeObject {
  if (item.kind !== undefined || apiVersion === undefined || !kind?.endsWith('List')) return item;
  return { ...item, apiVersion, kind: kind.slice(0, -'List'.length) };
}
