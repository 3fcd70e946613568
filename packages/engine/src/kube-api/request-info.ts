// What a request is about, read from method, path and query alone: the attributes that authorization, admission and
// dispatch decide by. Grammar: /api/v1/... and /apis/<group>/<version>/..., with [namespaces/<ns>/]<resource>[/<name>[/<subresource>]].
import type { ServerRequest } from '@kedge/core/ports';

export type RequestVerb =
  | 'get'
  | 'list'
  | 'watch'
  | 'create'
  | 'update'
  | 'patch'
  | 'delete'
  | 'deletecollection'
  /** A method that has no meaning in the API. */
  | 'unknown';

export interface ResourceRequest {
  readonly isResource: true;
  readonly verb: RequestVerb;
  readonly method: string;
  readonly path: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  /** '' for cluster-scoped requests and for all namespaces. */
  readonly namespace: string;
  /** '' for the collection. */
  readonly name: string;
  /** '' for the object itself; `proxy/a/b` keeps only `proxy`. */
  readonly subresource: string;
}

export interface PathRequest {
  readonly isResource: false;
  readonly verb: string;
  readonly method: string;
  readonly path: string;
}

export type RequestInfo = ResourceRequest | PathRequest;

type Asked = Pick<ServerRequest, 'method' | 'path' | 'query'>;

const namespaceSubresources = new Set(['status', 'finalize']);
const isTrue = (text: string | null): boolean => text === 'true' || text === '1';

/** Undefined when the path holds a broken percent escape. */
export function readRequestInfo({ method, path, query }: Asked): RequestInfo | undefined {
  let parts: string[];
  try {
    parts = path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch {
    return undefined;
  }
  const plain: PathRequest = { isResource: false, verb: method.toLowerCase(), method, path };
  const group = parts[0] === 'apis' ? parts[1] : parts[0] === 'api' ? '' : undefined;
  if (group === undefined) return plain;
  const [version, ...rest] = parts.slice(parts[0] === 'apis' ? 2 : 1);
  // The pre-1.0 form /api/v1/watch/... puts the verb into the path.
  const watchPath = rest[0] === 'watch' && rest.length > 1;
  if (watchPath) rest.shift();
  if (version === undefined || rest.length === 0) return plain;

  let namespace = '';
  if (rest[0] === 'namespaces' && rest.length > 1) {
    namespace = rest[1]!;
    // `namespaces/<name>` and its own subresources are about the namespace itself; anything else lies in it.
    if (rest.length > 2 && !namespaceSubresources.has(rest[2]!)) rest.splice(0, 2);
  }
  const [resource = '', name = '', subresource = ''] = rest;
  const verb = verbOf(method, name, watchPath || isTrue(query.get('watch')));
  return { isResource: true, verb, method, path, group, version, resource, namespace, name, subresource };
}

function verbOf(method: string, name: string, watch: boolean): RequestVerb {
  switch (method) {
    case 'GET':
    case 'HEAD':
      // Watching one object is a watch of the collection with a field selector, and is authorized as one.
      if (name) return watch ? 'watch' : 'get';
      return watch ? 'watch' : 'list';
    case 'POST':
      return 'create';
    case 'PUT':
      return 'update';
    case 'PATCH':
      return 'patch';
    case 'DELETE':
      return name ? 'delete' : 'deletecollection';
    default:
      return 'unknown';
  }
}
