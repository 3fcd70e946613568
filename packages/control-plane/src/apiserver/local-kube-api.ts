// The Kubernetes API for code in the same process: the same admission, authorization and storage as over HTTP, without HTTP.
import type { Change } from '@kedge/core/control';
import type { HttpHandler, ServerRequest, ServerResponse } from '@kedge/core/ports';
import {
  type ApiUser,
  type Call,
  type Catalog,
  type CollectionTarget,
  type ListOptions,
  type ObjectApi,
  type ObjectTarget,
  type ReadField,
  type RemoveOptions,
  readFilter,
  type ServedResource,
  type WatchChange,
  type WriteOptions,
} from '@kedge/engine/kube-api';
import type { CallOptions, KubeApi, Selection } from '@kedge/engine/kube-client';
import { fail, type GroupVersionResource, isStatus, type KubeObject } from '@kedge/model/k8s';
import { type Attributes, type Authorizer } from './authz/attributes.ts';
import { demand, impersonate } from './authz/gatekeeper.ts';

export interface LocalApiDeps {
  readonly objects: ObjectApi;
  readonly catalog: Catalog;
  readonly authorizer: Authorizer;
  fields(resource: ServedResource): ReadField;
  /** Serves requests as the user, for paths that are not about objects. */
  readonly handler: HttpHandler;
}

const never = new AbortController().signal;

export function createLocalKubeApi(deps: LocalApiDeps, user: ApiUser): KubeApi {
  const { objects, catalog, authorizer } = deps;

  function enter(
    of: GroupVersionResource,
    at: Omit<Attributes & { isResource: true }, 'isResource' | 'group' | 'resource'>,
    options: CallOptions = {},
  ) {
    const resource = catalog.find(of);
    if (!resource || (at.subresource && !Object.hasOwn(resource.subresources, at.subresource))) {
      throw fail('NotFound', 'the server could not find the requested resource');
    }
    const acting = options.asUser ? impersonate(authorizer, user, options.asUser) : user;
    demand(authorizer, acting, { isResource: true, group: of.group, resource: of.resource, ...at });
    const call: Call = { user: acting, signal: options.signal ?? never, warn: () => undefined };
    return { resource, call };
  }
  const filterOf = (resource: ServedResource, { labelSelector, fieldSelector }: Selection) =>
    readFilter(
      new URLSearchParams({ ...(labelSelector ? { labelSelector } : {}), ...(fieldSelector ? { fieldSelector } : {}) }),
      deps.fields(resource),
      '',
    );
  const write: WriteOptions = {
    dryRun: false,
    fieldManager: user.name.split(':').at(-1)!,
    fieldValidation: 'Ignore',
    force: false,
    duplicates: [],
  };
  const at = (
    resource: ServedResource,
    namespace: string | undefined,
    name: string,
    subresource?: string,
  ): ObjectTarget => ({
    resource,
    namespace: resource.namespaced ? namespace : undefined,
    name,
    subresource,
  });

  return {
    async get(of, { namespace, name, subresource = '' }, options) {
      const { resource, call } = enter(of, { verb: 'get', namespace: namespace ?? '', name, subresource }, options);
      const target = at(resource, namespace, name, subresource || undefined);
      return (await objects.get(target, { resourceVersion: undefined }, call)).object;
    },
    async list(of, selection = {}, options) {
      const { namespace } = selection;
      const { resource, call } = enter(
        of,
        { verb: 'list', namespace: namespace ?? '', name: '', subresource: '' },
        options,
      );
      const listing = await objects.list({ resource, namespace }, newest(filterOf(resource, selection)), call);
      const items: KubeObject[] = [];
      for await (const page of listing.pages()) for (const { object } of page) items.push(object);
      return { items, resourceVersion: listing.resourceVersion };
    },
    async *watch(of, selection, resourceVersion, signal) {
      const { namespace } = selection;
      const { resource, call } = enter(
        of,
        { verb: 'watch', namespace: namespace ?? '', name: '', subresource: '' },
        { signal },
      );
      yield* follow(objects, { resource, namespace }, filterOf(resource, selection), resourceVersion, call);
    },
    async create(of, namespace, object, options = {}) {
      const { name = '', subresource = '' } = options.subresource ?? {};
      const { resource, call } = enter(of, { verb: 'create', namespace: namespace ?? '', name, subresource }, options);
      const written = await objects.create(
        at(resource, namespace, name, subresource || undefined),
        typed(resource, object, subresource),
        write,
        call,
      );
      return written.document.object;
    },
    async update(of, object, options = {}) {
      const { namespace, name = '' } = object.metadata;
      const { subresource = '' } = options;
      const { resource, call } = enter(of, { verb: 'update', namespace: namespace ?? '', name, subresource }, options);
      const written = await objects.update(
        at(resource, namespace, name, subresource || undefined),
        typed(resource, object, subresource),
        write,
        call,
      );
      return written.document.object;
    },
    async patch(of, { namespace, name, subresource = '' }, type, document, options = {}) {
      const { resource, call } = enter(of, { verb: 'patch', namespace: namespace ?? '', name, subresource }, options);
      const how = { ...write, fieldManager: options.fieldManager ?? write.fieldManager, force: options.force ?? false };
      const target = at(resource, namespace, name, subresource || undefined);
      return (await objects.patch(target, { type, text: document }, how, call)).document.object;
    },
    async delete(of, { namespace, name }, options = {}) {
      const { resource, call } = enter(
        of,
        { verb: 'delete', namespace: namespace ?? '', name, subresource: '' },
        options,
      );
      const how: RemoveOptions = {
        dryRun: false,
        gracePeriodSeconds: options.gracePeriodSeconds,
        propagation: options.propagationPolicy,
        preconditions: { uid: options.uid, resourceVersion: options.resourceVersion },
      };
      await objects.remove(at(resource, namespace, name), how, call);
    },
    raw: (path, options) => raw(deps.handler, path, options?.signal ?? never),
  };
}

const newest = (filter: ListOptions['filter']): ListOptions => ({
  filter,
  limit: 0,
  continueToken: undefined,
  resourceVersion: undefined,
  match: 'not-older-than',
});

const kinds: Record<WatchChange['type'], 'added' | 'modified' | 'deleted'> = {
  ADDED: 'added',
  MODIFIED: 'modified',
  DELETED: 'deleted',
};

/** Fills in what a caller in the same process may leave out. */
function typed(resource: ServedResource, object: KubeObject, subresource: string): KubeObject {
  const { group, version, kind } = (subresource && resource.subresources[subresource]) || resource;
  return { ...object, apiVersion: group ? `${group}/${version}` : version, kind };
}

async function* follow(
  objects: ObjectApi,
  target: CollectionTarget,
  filter: ListOptions['filter'],
  resourceVersion: string,
  call: Call,
): AsyncIterable<Change<KubeObject>> {
  try {
    const source = await objects.watch(target, { filter, resourceVersion }, call);
    try {
      for (;;) {
        const { changes, resourceVersion: reached } = source.next();
        for (const { type, document } of changes) {
          const { object } = document;
          yield { type: kinds[type], object, resourceVersion: object.metadata.resourceVersion ?? reached };
        }
        if (changes.length > 0) continue;
        yield { type: 'bookmark', resourceVersion: reached };
        await source.wait(call.signal);
      }
    } finally {
      source.close();
    }
  } catch (error) {
    if (call.signal.aborted) return;
    if (!isStatus(error, 'Expired')) throw error;
    yield { type: 'expired' };
  }
}

async function raw(handler: HttpHandler, url: string, signal: AbortSignal): Promise<{ status: number; body: string }> {
  const [path = '', query = ''] = url.split('?');
  let answered = { status: 500, body: '' };
  const request: ServerRequest = {
    method: 'GET',
    path,
    query: new URLSearchParams(query),
    headers: {},
    remoteAddress: '',
    peer: undefined,
    signal,
    body: async () => new Uint8Array(),
  };
  const response: ServerResponse = {
    send(status, _headers, body = '') {
      answered = { status, body: typeof body === 'string' ? body : new TextDecoder().decode(body) };
    },
    stream(status) {
      answered = { status, body: '' };
      return {
        write(chunk) {
          answered.body += typeof chunk === 'string' ? chunk : new TextDecoder().decode(chunk);
          return true;
        },
        bufferedBytes: 0,
        drained: async () => undefined,
        end: () => undefined,
        destroy: () => undefined,
      };
    },
  };
  await handler(request, response);
  return answered;
}
