// How many requests are in work at once, and how long they take: counted for /metrics, and limited, so that a crowd of
// clients gets a quick "try again" instead of a server that answers nobody.
import type { HttpHandler, ServerRequest, ServerResponse } from '@kedge/core/ports';
import type { Metrics } from '@kedge/core/metrics';
import type { Clock } from '@kedge/core/time';
import { failure } from '@kedge/model/k8s';
import { readRequestInfo } from './request-info.ts';

export interface RequestLimits {
  /** Requests that only read, at once; watches and logs do not count. kube-apiserver's --max-requests-inflight. */
  readonly reading: number;
  /** kube-apiserver's --max-mutating-requests-inflight. */
  readonly writing: number;
}

export interface RequestLimitDeps {
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly limits: RequestLimits;
}

const buckets = [0.005, 0.025, 0.1, 0.5, 1, 5, 30];
/** Probes have to be answered above all when there is a crowd. */
const alwaysServed = new Set(['/healthz', '/livez', '/readyz', '/metrics']);

export function limitRequests(handler: HttpHandler, { clock, metrics, limits }: RequestLimitDeps): HttpHandler {
  const total = metrics.counter('apiserver_request_total', 'Requests by verb, resource and status.');
  const took = metrics.histogram('apiserver_request_duration_seconds', 'Seconds that requests took.', buckets);
  const inFlight = metrics.gauge('apiserver_current_inflight_requests', 'Requests in work.');
  const rejected = metrics.counter(
    'apiserver_rejected_requests_total',
    'Requests sent away because of too many others.',
  );
  const now = { reading: 0, writing: 0 };

  const refuse = (kind: keyof RequestLimits, response: ServerResponse): void => {
    rejected.add(1, { request_kind: kind });
    const status = failure(
      'TooManyRequests',
      'the server has received too many requests and has asked us to try again later',
      {
        retryAfterSeconds: 1,
      },
    );
    response.send(429, { 'content-type': 'application/json', 'retry-after': '1' }, JSON.stringify(status));
  };

  return async (request, response) => {
    const { verb, resource, isLong } = natureOf(request);
    if (isLong || alwaysServed.has(request.path)) return handler(request, response);
    const kind = request.method === 'GET' || request.method === 'HEAD' ? 'reading' : 'writing';
    if (now[kind] >= limits[kind]) return refuse(kind, response);
    now[kind] += 1;
    inFlight.set(now[kind], { request_kind: kind });
    const began = clock.monotonic();
    let code = 0;
    try {
      await handler(request, {
        send(status, headers, body) {
          code = status;
          response.send(status, headers, body);
        },
        stream(status, headers) {
          code = status;
          return response.stream(status, headers);
        },
      });
    } finally {
      now[kind] -= 1;
      inFlight.set(now[kind], { request_kind: kind });
      total.add(1, { verb, resource, code: String(code) });
      took.observe((clock.monotonic() - began) / 1_000, { verb });
    }
  };
}

function natureOf(request: ServerRequest): { verb: string; resource: string; isLong: boolean } {
  const info = readRequestInfo(request);
  if (!info?.isResource) return { verb: request.method, resource: '', isLong: false };
  const { verb, resource, subresource } = info;
  const isLong = verb === 'watch' || (subresource === 'log' && request.query.get('follow') === 'true');
  return { verb: verb.toUpperCase(), resource: subresource ? `${resource}/${subresource}` : resource, isLong };
}
