// What the monitor answers, and that it waits for its port rather than ending cloudcore.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openScope } from '@kedge/core/flow';
import { silentLog } from '@kedge/core/log';
import { createMetrics } from '@kedge/core/metrics';
import { type HttpHandler, httpErrors, type HttpServers, type ServerRequest } from '@kedge/core/ports';
import { FakeClock } from '@kedge/core/testing';
import { milliseconds, seconds } from '@kedge/core/time';
import { createMonitor } from './monitor.ts';

const settle = () => new Promise<void>((resolve) => setImmediate(resolve));
const at = { address: '127.0.0.1', port: 9_091 };

function start() {
  const clock = new FakeClock({ settle });
  const metrics = createMetrics();
  const world = { isTaken: false, isReady: false, handler: undefined as HttpHandler | undefined };
  const servers: HttpServers = {
    async listen({ handler, address, port }) {
      if (world.isTaken) throw httpErrors.PORT_TAKEN({ address, port });
      world.handler = handler;
      return { address, port, renew: () => undefined, close: async () => void (world.handler = undefined) };
    },
  };
  const monitor = createMonitor({ clock, log: silentLog, servers, metrics, isReady: () => world.isReady }, at);
  const get = async (path: string, method = 'GET'): Promise<{ status: number; body: string }> => {
    let answer = { status: 0, body: '' };
    const send = (status: number, _: unknown, body: unknown) => void (answer = { status, body: String(body) });
    await world.handler!({ method, path } as ServerRequest, { send, stream: () => assert.fail() });
    return answer;
  };
  return { clock, metrics, monitor, world, get, scope: openScope({ clock, name: 'monitor' }) };
}

test('it is healthy as long as it answers, and ready when nodes can connect', async () => {
  const { monitor, scope, world, get } = start();
  await monitor.start(scope);
  assert.equal((await get('/healthz')).status, 200);
  assert.equal((await get('/readyz')).status, 503);
  world.isReady = true;
  assert.equal((await get('/readyz')).status, 200);
  assert.equal((await get('/debug')).status, 404);
  assert.equal((await get('/healthz', 'POST')).status, 405);
  await scope.close(milliseconds(0));
  assert.equal(world.handler, undefined);
});

test('it shows what has been counted', async () => {
  const { monitor, scope, metrics, get } = start();
  await monitor.start(scope);
  metrics.counter('kedge_cloudhub_pushes_total', 'Objects sent.').add(3);
  assert.match((await get('/metrics')).body, /^kedge_cloudhub_pushes_total 3$/m);
});

test('with its port taken it lets cloudcore start, and serves once the port is free', async () => {
  const { clock, monitor, scope, world, get } = start();
  world.isTaken = true;
  await monitor.start(scope);
  assert.equal(world.handler, undefined);
  world.isTaken = false;
  await clock.advance(seconds(30));
  assert.equal((await get('/healthz')).status, 200);
});
