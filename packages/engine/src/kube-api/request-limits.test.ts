// A crowd of requests: some are served, the rest are told to come back, and probes and watches are not held up.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMetrics } from '@kedge/core/metrics';
import type { ServerRequest, ServerResponse } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { limitRequests } from './request-limits.ts';

const request = (method: string, path: string, query = ''): ServerRequest => ({
  method,
  path,
  query: new URLSearchParams(query),
  headers: {},
  remoteAddress: '192.0.2.1',
  peer: undefined,
  signal: new AbortController().signal,
  body: async () => new Uint8Array(0),
});

function crowd(reading: number, writing: number) {
  const metrics = createMetrics();
  const waiting: (() => void)[] = [];
  const limited = limitRequests(
    async (_request, response) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      response.send(200, {});
    },
    { clock: new FakeClock({ settle: () => Promise.resolve() }), metrics, limits: { reading, writing } },
  );
  const ask = (method: string, path: string, query = ''): { code: () => number; done: Promise<void> } => {
    let code = 0;
    const response: ServerResponse = {
      send: (status) => void (code = status),
      stream: () => assert.fail('nothing streams here'),
    };
    return { code: () => code, done: limited(request(method, path, query), response) };
  };
  return { metrics, ask, finish: () => waiting.splice(0).forEach((end) => end()) };
}

test('requests over the limit are told to come back, reading and writing apart', async () => {
  const { ask, finish, metrics } = crowd(2, 1);
  const pods = '/api/v1/namespaces/default/pods';
  const served = [ask('GET', pods), ask('GET', `${pods}/a`), ask('POST', pods)];
  const late = [ask('GET', pods), ask('PUT', `${pods}/a`)];
  assert.deepEqual(
    late.map(({ code }) => code()),
    [429, 429],
  );
  finish();
  await Promise.all(served.map(({ done }) => done));
  assert.deepEqual(
    served.map(({ code }) => code()),
    [200, 200, 200],
  );
  const again = ask('GET', pods);
  assert.equal(again.code(), 0, 'there is room again');
  finish();
  await again.done;
  const text = metrics.format();
  assert.match(text, /^apiserver_request_total\{code="200",resource="pods",verb="LIST"\} 2$/m);
  assert.match(text, /^apiserver_rejected_requests_total\{request_kind="writing"\} 1$/m);
  assert.match(text, /^apiserver_current_inflight_requests\{request_kind="reading"\} 0$/m);
});

test('watches, followed logs and probes do not count', async () => {
  const { ask, finish } = crowd(0, 0);
  const long = [
    ask('GET', '/api/v1/pods', 'watch=1'),
    ask('GET', '/api/v1/namespaces/default/pods/a/log', 'follow=true'),
    ask('GET', '/readyz'),
  ];
  assert.deepEqual(
    long.map(({ code }) => code()),
    [0, 0, 0],
  );
  finish();
  await Promise.all(long.map(({ done }) => done));
  assert.equal(ask('GET', '/api/v1/namespaces/default/pods/a/log').code(), 429);
});
