// The HTTP handler of a Kubernetes API: who asks, whether they may, what they ask for. Every failure leaves as a Status.
import type { HttpHandler, ServerRequest, ServerResponse } from '@kedge/core/ports';
import type { Log } from '@kedge/core/log';
import { fail, isStatus, toStatus } from '@kedge/model/k8s';
import { type Answer, type AnswerDeps, createAnswer } from './answer.ts';
import type { Catalog } from './catalog.ts';
import { kubeApiErrors } from './kube-api-errors.ts';
import { negotiate } from './negotiate.ts';
import type { ApiUser, Call } from './object-api.ts';
import { createPaths, type PathDeps } from './paths.ts';
import { type RequestInfo, readRequestInfo } from './request-info.ts';
import { createResourceRequests, type ResourceRequestDeps } from './resource-requests.ts';

export interface Gatekeeper {
  /** Who asks; throws Unauthorized for credentials that are wrong. */
  authenticate(request: ServerRequest): Promise<ApiUser>;
  /** Throws Forbidden. Returns the user to act as, which differs when the request impersonates somebody. */
  admit(user: ApiUser, info: RequestInfo, request: ServerRequest): Promise<ApiUser>;
  /** Adds to what an audit log says about the request. */
  annotate?(request: ServerRequest, key: string, value: string): void;
}

export interface KubeApiDeps extends AnswerDeps, PathDeps, ResourceRequestDeps {
  readonly log: Log;
  readonly catalog: Catalog;
  readonly gatekeeper: Gatekeeper;
}

export function createKubeApiHandler(deps: KubeApiDeps): HttpHandler {
  const servePath = createPaths(deps);
  const serveResource = createResourceRequests(deps);

  async function serve(request: ServerRequest, answer: Answer): Promise<void> {
    const info = readRequestInfo(request);
    if (!info) throw fail('BadRequest', 'the request path holds a broken percent escape');
    const user = await deps.gatekeeper.admit(await deps.gatekeeper.authenticate(request), info, request);
    if (!info.isResource) {
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        throw fail('MethodNotAllowed', 'the server does not allow this method on the requested resource');
      }
      if (!(await servePath(request, answer))) throw unknownPath();
      return;
    }
    const resource = deps.catalog.find(info);
    if (!resource || (info.subresource && !Object.hasOwn(resource.subresources, info.subresource))) throw unknownPath();
    const { gatekeeper } = deps;
    const call: Call = {
      user,
      signal: request.signal,
      warn: (text) => answer.warn(text),
      annotate: (key, value) => gatekeeper.annotate?.(request, key, value),
    };
    await serveResource({ info, resource, request, answer, call });
  }

  return async (request, response: ServerResponse) => {
    const answer = createAnswer(request, response, deps);
    try {
      await serve(request, answer);
    } catch (error) {
      if (request.signal.aborted) return;
      if (kubeApiErrors.CLIENT_STALLED.is(error))
        return void deps.log.warn('slow client cut off', { path: request.path, err: error });
      if (!isStatus(error)) {
        deps.log.error('request failed', { method: request.method, path: request.path, err: error });
      }
      if (!answer.isSent) await answer.status(toStatus(error), formFor(request));
    }
  };
}

const unknownPath = (): Error => fail('NotFound', 'the server could not find the requested resource');

/** A failure is told in JSON when the client's own wish cannot be met. */
function formFor({ headers, query }: ServerRequest): Parameters<Answer['status']>[1] {
  try {
    return negotiate(headers, query, ['object', 'table', 'metadata']);
  } catch {
    return undefined;
  }
}
