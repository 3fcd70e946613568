// Reading the samples of a device over HTTPS: GET /devices/{namespace}/{name}/samples?property=...&from=...&limit=...
// Who asks is found out, and whether they may, by the Kubernetes API: `get` on `devices/samples` of devices.kubeedge.io. Whoever
// may that everywhere gets the whole store from GET /devices/samples: that is how `kedge backup` reads it.
import type { Log } from '@kedge/core/log';
import type { HttpHandler, ResponseStream, ServerRequest, ServerResponse } from '@kedge/core/ports';
import { parseTime } from '@kedge/core/time';
import type { KubeApi } from '@kedge/engine/kube-client';
import { failure, httpCodes, type KubeObject, type Status } from '@kedge/model/k8s';
import { devicesGroup } from '@kedge/model/kubeedge';
import type { SampleCursor, SampleStore } from './sample-store.ts';

export interface SampleApiDeps {
  readonly log: Log;
  readonly kube: KubeApi;
  readonly samples: SampleStore;
  /** The whole store, packed; undefined: it is not given away. */
  readonly pack: (() => AsyncIterable<Uint8Array>) | undefined;
}

interface User {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

const tokenReviews = { group: 'authentication.k8s.io', version: 'v1', resource: 'tokenreviews' };
const accessReviews = { group: 'authorization.k8s.io', version: 'v1', resource: 'subjectaccessreviews' };
const json = { 'content-type': 'application/json' };
const defaultLimit = 1_000;
const maxLimit = 10_000;

/** The handler, for a path that is one of ours. */
export function createSampleApi({
  log,
  kube,
  samples,
  pack,
}: SampleApiDeps): (request: ServerRequest) => HttpHandler | undefined {
  let isPacking = false;

  async function whoIs({ headers, peer, signal }: ServerRequest): Promise<User | undefined> {
    const [, token] = /^Bearer ([\x21-\x7e]{1,16384})$/i.exec(headers['authorization'] ?? '') ?? [];
    if (token === undefined) {
      return peer && { username: peer.commonName, groups: [...peer.organizations, 'system:authenticated'] };
    }
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {}, spec: { token } };
    const { status } = (await kube.create(tokenReviews, undefined, review, { signal })) as KubeObject & {
      status?: { authenticated?: boolean; user?: User };
    };
    return status?.authenticated ? status.user : undefined;
  }

  /** Empty namespace and name: all of them. */
  async function may(user: User, namespace: string, name: string, signal: AbortSignal): Promise<boolean> {
    const resourceAttributes = {
      group: devicesGroup,
      resource: 'devices',
      subresource: 'samples',
      verb: 'get',
      namespace,
      name,
    };
    const { username, ...rest } = user;
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SubjectAccessReview',
      metadata: {},
      spec: { user: username, ...rest, resourceAttributes },
    };
    const { status } = (await kube.create(accessReviews, undefined, review, { signal })) as KubeObject & {
      status?: { allowed?: boolean };
    };
    return status?.allowed === true;
  }

  const refuseWith =
    (response: ServerResponse) =>
    (status: Status): void =>
      response.send(
        status.code ?? httpCodes[status.reason as keyof typeof httpCodes] ?? 500,
        json,
        JSON.stringify(status),
      );

  /** False: it has been answered. */
  async function isAllowed(
    namespace: string,
    name: string,
    request: ServerRequest,
    response: ServerResponse,
  ): Promise<boolean> {
    const refuse = refuseWith(response);
    if (request.method !== 'GET') {
      refuse(failure('MethodNotAllowed', 'samples are read with GET'));
      return false;
    }
    const user = await whoIs(request);
    if (!user) {
      refuse(failure('Unauthorized', 'show a bearer token of the Kubernetes API'));
      return false;
    }
    if (!(await may(user, namespace, name, request.signal))) {
      const say = `user "${user.username ?? ''}" may not "get" resource "devices/samples" in API group "${devicesGroup}" in namespace "${namespace}"`;
      log.info('samples refused', { namespace, name, reason: say });
      refuse(failure('Forbidden', say));
      return false;
    }
    return true;
  }

  async function serve(
    namespace: string,
    name: string,
    request: ServerRequest,
    response: ServerResponse,
  ): Promise<void> {
    if (!(await isAllowed(namespace, name, request, response))) return undefined;
    const asked = readQuery(request.query);
    if (!asked.ok) return refuseWith(response)(failure('BadRequest', asked.say));
    const { property, from, after, limit } = asked;
    const found = samples.read({ device: { namespace, name }, property, from, after, limit });
    const last = found.length === limit ? found.at(-1)?.cursor : undefined;
    const body = {
      device: { namespace, name },
      property,
      samples: found.map(({ stream, sequence, at, value }) => ({ stream, sequence, at, value })),
      ...(last === undefined ? {} : { next: `${last.series}.${last.sequence}` }),
    };
    return response.send(200, json, JSON.stringify(body));
  }

  async function serveAll(
    packed: () => AsyncIterable<Uint8Array>,
    request: ServerRequest,
    response: ServerResponse,
  ): Promise<void> {
    if (!(await isAllowed('', '', request, response))) return;
    if (isPacking) {
      return refuseWith(response)(failure('TooManyRequests', 'another copy is being made; try again when it is done'));
    }
    isPacking = true;
    let stream: ResponseStream | undefined;
    try {
      for await (const chunk of packed()) {
        stream ??= response.stream(200, { 'content-type': 'application/gzip' });
        if (request.signal.aborted) return;
        if (!stream.write(chunk)) await stream.drained();
      }
      stream?.end();
    } catch (error) {
      // Half of it must not pass for all of it.
      if (!stream) throw error;
      stream.destroy();
    } finally {
      isPacking = false;
    }
  }

  return ({ path }) => {
    if (path === '/devices/samples' && pack) return (request, response) => serveAll(pack, request, response);
    const [, namespace, name] = /^\/devices\/([a-z0-9.-]{1,253})\/([a-z0-9.-]{1,253})\/samples$/.exec(path) ?? [];
    if (namespace === undefined || name === undefined) return undefined;
    return (request, response) => serve(namespace, name, request, response);
  };
}

type Asked =
  | {
      readonly ok: true;
      readonly property: string;
      readonly from: number | undefined;
      readonly after: SampleCursor | undefined;
      readonly limit: number;
    }
  | { readonly ok: false; readonly say: string };

function readQuery(query: URLSearchParams): Asked {
  const bad = (say: string): Asked => ({ ok: false, say });
  const property = query.get('property');
  if (!property) return bad('property is missing: name a property of the device');
  const limit = Number(query.get('limit') ?? defaultLimit);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > maxLimit) {
    return bad(`limit has to be a number from 1 to ${maxLimit}`);
  }
  const from = readTime(query.get('from'));
  if (from === null) return bad('from has to be a time: RFC 3339, or milliseconds since 1970');
  const after = readCursor(query.get('after'));
  if (after === null) return bad('after has to be what an earlier answer had as "next"');
  return { ok: true, property, from, after, limit };
}

/** Null: not to be understood. */
function readTime(text: string | null): number | undefined | null {
  if (text === null) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  return parseTime(text) ?? null;
}

function readCursor(text: string | null): SampleCursor | undefined | null {
  if (text === null) return undefined;
  const [, series, sequence] = /^(\d{1,15})\.(\d{1,15})$/.exec(text) ?? [];
  return series === undefined ? null : { series: Number(series), sequence: Number(sequence) };
}
