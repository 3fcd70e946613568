// Serves any KubeApi over plain HTTP, so that a Go program can use the one that a test holds in memory: no authentication,
// just the requests that client-go makes.
import type { HttpServers, Listening, ResponseStream, ServerRequest, ServerResponse } from '@kedge/core/ports';
import type { Change } from '@kedge/core/control';
import { type DeleteOptions, type KubeApi, patchMediaTypes, type PatchType } from '@kedge/engine/kube-client';
import type { ResourceInfo } from '@kedge/model/k8s-resources';
import { isProtobuf, readProtobufBody } from './protobuf-body.ts';
import { apiVersionOf, failure, type GroupVersionResource, type KubeObject, toStatus } from '@kedge/model/k8s';

const json = { 'content-type': 'application/json' };
const maxBody = 8 * 1024 * 1024;

interface Address {
  readonly of: GroupVersionResource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** `resources`: what the API has, for the kinds of lists. */
export const serveKubeApi = (
  kube: KubeApi,
  servers: HttpServers,
  resources: readonly ResourceInfo[],
): Promise<Listening> =>
  servers.listen({
    address: '127.0.0.1',
    port: 0,
    async handler(request, response) {
      try {
        const address = readPath(request.path);
        await (address
          ? serveObjects(kube, resources, address, request, response)
          : servePath(kube, request, response));
      } catch (error) {
        const status = toStatus(error);
        response.send(status.code ?? 500, json, JSON.stringify({ kind: 'Status', apiVersion: 'v1', ...status }));
      }
    },
  });

/** `/api/v1/namespaces/x` is a Namespace, `/api/v1/namespaces/x/pods` its pods. */
function readPath(path: string): Address | undefined {
  const found = /^\/api(?:s\/([^/]+))?\/([^/]+)\/(.+)$/.exec(path);
  if (!found) return undefined;
  const [, group = '', version = '', rest = ''] = found;
  const parts = rest.split('/').map(decodeURIComponent);
  const inNamespace = parts[0] === 'namespaces' && parts.length > 2 && parts[2] !== 'finalize' && parts[2] !== 'status';
  const [resource = '', name, subresource] = inNamespace ? parts.slice(2) : parts;
  return { of: { group, version, resource }, namespace: inNamespace ? parts[1] : undefined, name, subresource };
}

async function servePath(kube: KubeApi, request: ServerRequest, response: ServerResponse): Promise<void> {
  if (request.path === '/version') {
    return response.send(
      200,
      json,
      JSON.stringify({ major: '1', minor: '32', gitVersion: 'v1.32.0', platform: 'linux/amd64' }),
    );
  }
  const { status, body } = await kube.raw(request.path);
  response.send(status, json, body || JSON.stringify(failure('NotFound', 'no such path')));
}

async function serveObjects(
  kube: KubeApi,
  resources: readonly ResourceInfo[],
  at: Address,
  request: ServerRequest,
  response: ServerResponse,
): Promise<void> {
  const send = (object: unknown, status = 200): void => response.send(status, json, JSON.stringify(object));
  const { of, namespace, name, subresource } = at;
  switch (request.method) {
    case 'GET':
      if (name !== undefined) return send(await kube.get(of, { namespace, name, subresource }));
      if (request.query.get('watch')) return watch(kube, at, request, response);
      return list(kube, kindOf(resources, at.of), at, request, send);
    case 'POST': {
      const parent = name === undefined || subresource === undefined ? {} : { subresource: { name, subresource } };
      return send(await kube.create(of, namespace, await readBody(request), parent), 201);
    }
    case 'PUT':
      return send(await kube.update(of, await readBody(request), subresource === undefined ? {} : { subresource }));
    case 'PATCH':
      return send(await patch(kube, at, request));
    case 'DELETE':
      await kube.delete(of, { namespace, name: name ?? '' }, await readDeleteOptions(request));
      return send({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' });
    default:
      return send(failure('MethodNotAllowed', request.method), 405);
  }
}

const selectionOf = ({ namespace, name }: Address, { query }: ServerRequest) => ({
  namespace,
  labelSelector: query.get('labelSelector') ?? undefined,
  fieldSelector: query.get('fieldSelector') ?? (name === undefined ? undefined : `metadata.name=${name}`),
});

const kindOf = (resources: readonly ResourceInfo[], of: GroupVersionResource): string =>
  resources.find((one) => one.group === of.group && one.resource === of.resource)?.kind ?? '';

async function list(
  kube: KubeApi,
  kind: string,
  at: Address,
  request: ServerRequest,
  send: (body: unknown) => void,
): Promise<void> {
  const { items, resourceVersion } = await kube.list(at.of, selectionOf(at, request));
  const { group, version } = at.of;
  send({ kind: `${kind}List`, apiVersion: apiVersionOf(group, version), metadata: { resourceVersion }, items });
}

async function watch(kube: KubeApi, at: Address, request: ServerRequest, response: ServerResponse): Promise<void> {
  const stream = response.stream(200, json);
  const selection = selectionOf(at, request);
  const asked = request.query.get('resourceVersion') ?? '';
  const from = asked === '' || asked === '0' ? (await kube.list(at.of, selection)).resourceVersion : asked;
  try {
    for await (const change of kube.watch(at.of, selection, from, request.signal)) writeChange(stream, change);
  } catch {
    // The client went away.
  }
  stream.end();
}

function writeChange(stream: ResponseStream, change: Change<KubeObject>): void {
  if (change.type === 'bookmark') return;
  const event =
    change.type === 'expired'
      ? { type: 'ERROR', object: failure('Expired', 'too old resource version') }
      : { type: change.type.toUpperCase(), object: change.object };
  stream.write(`${JSON.stringify(event)}\n`);
}

async function patch(kube: KubeApi, { of, namespace, name = '', subresource }: Address, request: ServerRequest) {
  const mediaType = String(request.headers['content-type']).split(';')[0];
  const type = (Object.keys(patchMediaTypes) as PatchType[]).find((one) => patchMediaTypes[one] === mediaType);
  const document = new TextDecoder().decode(await request.body(maxBody));
  return kube.patch(of, { namespace, name, subresource }, type ?? 'merge', document);
}

async function readBody(request: ServerRequest): Promise<KubeObject> {
  const body = await request.body(maxBody);
  if (isProtobuf(body)) return readProtobufBody(body);
  return (body.length === 0 ? {} : JSON.parse(new TextDecoder().decode(body))) as KubeObject;
}

async function readDeleteOptions(request: ServerRequest): Promise<DeleteOptions> {
  const { gracePeriodSeconds, preconditions } = (await readBody(request)) as {
    gracePeriodSeconds?: number;
    preconditions?: { uid?: string };
  };
  return {
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(preconditions?.uid === undefined ? {} : { uid: preconditions.uid }),
  };
}
