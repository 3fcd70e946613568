// Requests about objects: from a parsed request to a call of the object API, and back to an answer in the form asked for.
import type { ServerRequest } from '@kedge/core/ports';
import type { Clock } from '@kedge/core/time';
import { apiVersionOf, fail, type KubeObject } from '@kedge/model/k8s';
import type { Answer } from './answer.ts';
import type { ServedResource } from './catalog.ts';
import { listText } from './list-answer.ts';
import { type Accepted, negotiate } from './negotiate.ts';
import type { Call, Document, ObjectApi, ObjectTarget } from './object-api.ts';
import { readObject, readPatch } from './read-body.ts';
import {
  type ReadField,
  readFilter,
  readListOptions,
  readRemoveOptions,
  readWatchOptions,
  readWriteOptions,
} from './read-options.ts';
import type { ResourceRequest } from './request-info.ts';
import { columnDefinitions, type IncludeObject, metadataOnly, type TableLayout, tableRow } from './table.ts';
import { runWatch } from './watch-answer.ts';

export interface ResourceRequestDeps {
  readonly clock: Clock;
  readonly objects: ObjectApi;
  readonly random: () => number;
  /** Subresources that answer with a text instead of an object, by `resource/subresource`. */
  readonly texts?: Readonly<Record<string, ServeText>>;
  /** How the kind, or a subresource of it, is printed. */
  layout(resource: ServedResource, subresource?: string): TableLayout;
  /** Which fields of the kind can be selected by. */
  fields(resource: ServedResource): ReadField;
}

export type ServeText = (target: ObjectTarget, request: ServerRequest, answer: Answer, call: Call) => Promise<void>;

export interface Asked {
  readonly info: ResourceRequest;
  readonly resource: ServedResource;
  readonly request: ServerRequest;
  readonly answer: Answer;
  readonly call: Call;
}

/** Subresources that are no requests but connections to what runs on a node. */
const streamed: ReadonlySet<string> = new Set(['exec', 'attach', 'portforward', 'proxy']);

type Handle = (asked: Asked, target: ObjectTarget) => Promise<void>;

export function createResourceRequests(deps: ResourceRequestDeps): (asked: Asked) => Promise<void> {
  const { clock, objects } = deps;

  const sendDocument = async (asked: Asked, accepted: Accepted, status: number, document: Document): Promise<void> => {
    const { answer, resource } = asked;
    if (accepted.form === 'table') {
      const layout = deps.layout(resource, asked.info.subresource);
      const row = tableRow(layout, document.object, readInclude(asked.request.query), clock.now());
      const { resourceVersion } = document.object.metadata;
      const head = { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata: { resourceVersion } };
      return answer.value(status, { ...head, columnDefinitions: columnDefinitions(layout), rows: [row] }, accepted);
    }
    if (accepted.form === 'metadata') return answer.value(status, metadataOnly(document.object), accepted);
    if (accepted.encoding === 'json' && !accepted.pretty) return answer.json(status, document.text);
    return answer.value(status, document.object, accepted);
  };

  const get: Handle = async (asked, target) => {
    const { query, headers } = asked.request;
    const accepted = negotiate(headers, query, ['object', 'table', 'metadata']);
    const document = await objects.get(
      target,
      { resourceVersion: query.get('resourceVersion') || undefined },
      asked.call,
    );
    return sendDocument(asked, accepted, 200, document);
  };

  const list: Handle = async (asked, target) => {
    const { query, headers } = asked.request;
    const accepted = negotiate(headers, query, ['object', 'table', 'metadata']);
    const options = readListOptions(query, readFilter(query, deps.fields(asked.resource), ''));
    const listing = await objects.list(target, options, asked.call);
    return sendListing(asked, accepted, listing);
  };

  const sendListing = async (
    asked: Asked,
    accepted: Accepted,
    listing: Parameters<typeof listText>[1],
  ): Promise<void> => {
    const { resource, answer, request } = asked;
    const include = readInclude(request.query);
    const { form, pretty, encoding } = accepted;
    const isJson = encoding === 'json';
    const how = { form, layout: deps.layout(resource), include, now: clock.now(), pretty: isJson && pretty };
    const pieces = listText(resource, listing, how);
    if (isJson) return answer.pieces(200, pieces);
    let text = '';
    for await (const piece of pieces) text += piece;
    return answer.value(200, JSON.parse(text), accepted);
  };

  const watch: Handle = async (asked, target) => {
    const { resource, request, call } = asked;
    const { query } = request;
    const accepted = negotiate(request.headers, query, ['object', 'table', 'metadata']);
    const filter = readFilter(query, deps.fields(resource), target.name);
    const options = readWatchOptions(query, deps.random);
    const initial =
      options.sendInitial || options.resourceVersion === undefined
        ? await objects.list(
            target,
            {
              filter,
              limit: 0,
              continueToken: undefined,
              resourceVersion: options.resourceVersion,
              match: 'not-older-than',
            },
            call,
          )
        : undefined;
    const from = initial?.resourceVersion ?? options.resourceVersion!;
    const stream = asked.answer.stream('application/json');
    const form = {
      resource,
      form: accepted.form,
      layout: deps.layout(resource),
      include: readInclude(query),
    };
    await runWatch({
      clock,
      stream,
      form,
      initial: options.sendInitial ? initial : undefined,
      markInitialEnd: options.markInitialEnd,
      open: () => objects.watch(target, { filter, resourceVersion: from }, call),
      bookmarks: options.bookmarks,
      lasts: options.lasts,
      signal: call.signal,
    });
  };

  const create: Handle = async (asked, target) => {
    const { body, options } = await readWrite(asked);
    const accepted = negotiate(asked.request.headers, asked.request.query, ['object', 'table', 'metadata']);
    const written = await objects.create(target, checkKind(asked, body), options, asked.call);
    return sendDocument(asked, accepted, 201, written.document);
  };

  const update: Handle = async (asked, target) => {
    const { body, options } = await readWrite(asked);
    const accepted = negotiate(asked.request.headers, asked.request.query, ['object', 'table', 'metadata']);
    const written = await objects.update(target, checkKind(asked, body), options, asked.call);
    return sendDocument(asked, accepted, written.created ? 201 : 200, written.document);
  };

  const patch: Handle = async (asked, target) => {
    const { request, call } = asked;
    const accepted = negotiate(request.headers, request.query, ['object', 'table', 'metadata']);
    const document = await readPatch(request);
    if (document.type === 'apply' && !request.query.get('fieldManager')) {
      throw fail(
        'Invalid',
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      );
    }
    const options = readWriteOptions(request.query, request.headers['user-agent'] ?? '', []);
    const written = await objects.patch(target, document, options, call);
    return sendDocument(asked, accepted, written.created ? 201 : 200, written.document);
  };

  const remove: Handle = async (asked, target) => {
    const { request, call, answer } = asked;
    const accepted = negotiate(request.headers, request.query, ['object', 'table', 'metadata']);
    const { object } = await readObject(request, false);
    const { done, body } = await objects.remove(target, readRemoveOptions(request.query, object), call);
    if ('text' in body) return sendDocument(asked, accepted, done ? 200 : 202, body);
    return answer.value(200, body, accepted);
  };

  const removeCollection: Handle = async (asked, target) => {
    const { request, call } = asked;
    const accepted = negotiate(request.headers, request.query, ['object']);
    const { object } = await readObject(request, false);
    const options = readListOptions(request.query, readFilter(request.query, deps.fields(asked.resource), ''));
    const removed = await objects.removeCollection(target, options, readRemoveOptions(request.query, object), call);
    return sendListing(asked, accepted, removed);
  };

  const handlers: Readonly<Record<Exclude<ResourceRequest['verb'], 'unknown'>, Handle>> = {
    get,
    list,
    watch,
    create,
    update,
    patch,
    delete: remove,
    deletecollection: removeCollection,
  };

  return async (asked) => {
    const { info, resource } = asked;
    const { verb } = info;
    const verbs = info.subresource ? resource.subresources[info.subresource]!.verbs : resource.verbs;
    // A collection cannot be replaced, an object cannot be created at its own URL; subresources are created at theirs.
    const misplaced =
      (verb === 'create' && !info.subresource && info.name !== '') || (verb === 'update' && info.name === '');
    const served = verb === 'watch' ? verbs.includes('watch') : verb !== 'unknown' && verbs.includes(verb);
    if (verb === 'unknown' || !served || misplaced) {
      throw fail('MethodNotAllowed', 'the server does not allow this method on the requested resource');
    }
    if (streamed.has(info.subresource)) {
      throw fail(
        'MethodNotAllowed',
        `${resource.resource}/${info.subresource} needs a stream, and this server opens none: ask the node itself`,
      );
    }
    const namespace = resource.namespaced && info.namespace ? info.namespace : undefined;
    if (resource.namespaced && !namespace && (info.name !== '' || verb === 'create')) {
      throw fail('BadRequest', `an empty namespace may not be set when a resource name is provided`);
    }
    const text = verb === 'get' ? deps.texts?.[`${resource.resource}/${info.subresource}`] : undefined;
    if (text)
      return text(
        { resource, namespace, name: info.name, subresource: info.subresource },
        asked.request,
        asked.answer,
        asked.call,
      );
    await handlers[verb](asked, { resource, namespace, name: info.name, subresource: info.subresource || undefined });
  };
}

async function readWrite(asked: Asked) {
  const { request } = asked;
  const ignoring = request.query.get('fieldValidation') === 'Ignore';
  const { object, duplicates } = await readObject(request, !ignoring);
  if (!object) throw fail('BadRequest', 'the request body is empty: it must be the object to write');
  return { body: object, options: readWriteOptions(request.query, request.headers['user-agent'] ?? '', duplicates) };
}

/** Fills in what the URL says about the body's kind, and refuses a body that says otherwise. */
function checkKind({ info, resource }: Asked, body: KubeObject): KubeObject {
  const kind = (info.subresource && resource.subresources[info.subresource]) || resource;
  const expected = apiVersionOf(kind.group, kind.version);
  if (body.kind !== undefined && body.kind !== kind.kind) {
    throw fail('BadRequest', `${body.kind} in version "${body.apiVersion ?? ''}" cannot be handled as a ${kind.kind}`);
  }
  if (body.apiVersion !== undefined && body.apiVersion !== expected) {
    throw fail(
      'BadRequest',
      `the API version in the data (${body.apiVersion}) does not match the expected API version (${expected})`,
    );
  }
  return { ...body, kind: kind.kind, apiVersion: expected };
}

function readInclude(query: URLSearchParams): IncludeObject {
  const asked = query.get('includeObject') || 'Metadata';
  if (asked === 'None' || asked === 'Metadata' || asked === 'Object') return asked;
  throw fail('BadRequest', `includeObject: unknown value "${asked}": use None, Metadata or Object`);
}
